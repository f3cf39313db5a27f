//! Every lookup, by name. Each gives a list.
//!
//! The terms are the positional arguments, the options the named ones.

mod files;
mod first_found;
mod ini;
mod lists;
mod outside;
mod parameters;
mod password;
mod programs;
mod sequence;
mod tables;
mod url;
mod variables;

pub use first_found::TASK_FOLDER;
pub(crate) use outside::ask_outside;

use crate::Function;

/// Names and lookups, sorted by name.
pub const LOOKUPS: &[(&str, Function)] = &[
    ("cartesian", lists::cartesian),
    ("community.general.cartesian", lists::cartesian),
    ("community.general.flattened", lists::flattened),
    ("config", variables::config),
    ("csvfile", tables::csvfile),
    ("dict", lists::dict),
    ("env", variables::env),
    ("file", files::file),
    ("fileglob", files::fileglob),
    ("first_found", first_found::first_found),
    ("flattened", lists::flattened),
    ("indexed_items", lists::indexed_items),
    ("ini", ini::ini),
    ("inventory_hostnames", variables::inventory_hostnames),
    ("items", lists::items),
    ("lines", programs::lines),
    ("list", lists::list),
    ("nested", lists::nested),
    ("password", password::password),
    ("pipe", programs::pipe),
    ("random_choice", lists::random_choice),
    ("sequence", sequence::sequence),
    ("subelements", lists::subelements),
    ("template", files::template),
    ("together", lists::together),
    ("unvault", files::unvault),
    ("url", url::url),
    ("varnames", variables::varnames),
    ("vars", variables::vars),
];

/// Keys and values of an INI text, by section, without interpolation.
pub(crate) fn ini_sections(text: &str) -> Result<Vec<ini::Section>, davit_value::ValueError> {
    Ok(ini::IniFile::parse(text, ini::IniOptions::default(), None)?.sections)
}

#[cfg(test)]
mod tests {
    use super::LOOKUPS;

    #[test]
    fn the_table_is_sorted() {
        assert!(LOOKUPS.windows(2).all(|pair| pair[0].0 < pair[1].0));
    }
}
