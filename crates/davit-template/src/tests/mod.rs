//! Every test, by name. Each gives a boolean.
//!
//! The tests of ansible.builtin and Jinja2 stand under their short names.

mod kinds;
mod match_text;
mod places;
mod results;
mod sets;
pub mod version;

use crate::Function;

/// Names and tests, sorted by name.
pub const TESTS: &[(&str, Function)] = &[
    ("!=", kinds::ne),
    ("<", kinds::lt),
    ("<=", kinds::le),
    ("==", kinds::eq),
    (">", kinds::gt),
    (">=", kinds::ge),
    ("abs", places::abs),
    ("all", sets::all),
    ("any", sets::any),
    ("boolean", kinds::boolean),
    ("callable", kinds::callable),
    ("change", results::changed),
    ("changed", results::changed),
    ("contains", sets::contains),
    ("defined", kinds::defined),
    ("directory", places::directory),
    ("divisibleby", kinds::divisibleby),
    ("eq", kinds::eq),
    ("equalto", kinds::eq),
    ("escaped", kinds::escaped),
    ("even", kinds::even),
    ("exists", places::exists),
    ("failed", results::failed),
    ("failure", results::failed),
    ("false", kinds::is_false),
    ("falsy", kinds::falsy),
    ("file", places::file),
    ("filter", kinds::filter),
    ("finished", results::finished),
    ("float", kinds::float),
    ("ge", kinds::ge),
    ("greaterthan", kinds::gt),
    ("gt", kinds::gt),
    ("in", sets::is_in),
    ("integer", kinds::integer),
    ("is_abs", places::abs),
    ("is_dir", places::directory),
    ("is_file", places::file),
    ("is_link", places::link),
    ("is_mount", places::mount),
    ("is_same_file", places::same_file),
    ("isnan", kinds::nan),
    ("issubset", sets::subset),
    ("issuperset", sets::superset),
    ("iterable", kinds::iterable),
    ("le", kinds::le),
    ("lessthan", kinds::lt),
    ("link", places::link),
    ("link_exists", places::link_exists),
    ("lower", kinds::lower),
    ("lt", kinds::lt),
    ("mapping", kinds::mapping),
    ("match", match_text::matches),
    ("mount", places::mount),
    ("nan", kinds::nan),
    ("ne", kinds::ne),
    ("none", kinds::none),
    ("number", kinds::number),
    ("odd", kinds::odd),
    ("reachable", results::reachable),
    ("regex", match_text::regex),
    ("same_file", places::same_file),
    ("sameas", kinds::sameas),
    ("search", match_text::search),
    ("sequence", kinds::sequence),
    ("skip", results::skipped),
    ("skipped", results::skipped),
    ("started", results::started),
    ("string", kinds::string),
    ("subset", sets::subset),
    ("succeeded", results::success),
    ("success", results::success),
    ("successful", results::success),
    ("superset", sets::superset),
    ("test", kinds::test),
    ("timedout", results::timedout),
    ("true", kinds::is_true),
    ("truthy", kinds::truthy),
    ("undefined", kinds::undefined),
    ("unreachable", results::unreachable),
    ("upper", kinds::upper),
    ("uri", match_text::uri),
    ("url", match_text::url),
    ("urn", match_text::urn),
    ("vault_encrypted", places::vault_encrypted),
    ("vaulted_file", places::vaulted_file),
    ("version", version::version),
    ("version_compare", version::version),
];

#[cfg(test)]
mod order {
    use super::TESTS;

    #[test]
    fn the_table_is_sorted() {
        assert!(TESTS.windows(2).all(|pair| pair[0].0 < pair[1].0));
    }
}
