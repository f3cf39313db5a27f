//! Every filter, by name.
//!
//! The filters of ansible.builtin and Jinja2 stand under their short names; those of collections
//! under both their short and their full names, since the original redirects the short ones.

pub mod comment;
pub mod dates;
pub mod dicts;
pub mod encode;
mod group;
pub mod hash;
pub mod json;
pub mod json_read;
pub mod lists;
pub mod math;
pub mod paths;
pub mod pattern;
pub mod pretty;
pub mod random;
pub mod regex;
mod select;
pub mod sets;
pub mod text;
pub mod types;
mod vault;
mod wrap;
mod yaml;

use crate::Function;

/// Names and filters, sorted by name.
pub const FILTERS: &[(&str, Function)] = &[
    ("abs", math::abs),
    ("attr", select::attr),
    ("b64decode", encode::b64decode),
    ("b64encode", encode::b64encode),
    ("basename", paths::basename),
    ("batch", lists::batch),
    ("bool", types::bool),
    ("capitalize", text::capitalize),
    ("center", text::center),
    ("checksum", hash::sha1),
    ("combinations", lists::combinations),
    ("combine", dicts::combine),
    ("comment", comment::comment),
    ("commonpath", paths::commonpath),
    ("count", lists::length),
    ("d", types::default),
    ("default", types::default),
    ("dict2items", dicts::dict2items),
    ("dictsort", dicts::dictsort),
    ("difference", sets::difference),
    ("dirname", paths::dirname),
    ("e", text::escape),
    ("escape", text::escape),
    ("expanduser", paths::expanduser),
    ("expandvars", paths::expandvars),
    ("extract", dicts::extract),
    ("fileglob", paths::fileglob),
    ("filesizeformat", math::filesizeformat),
    ("first", lists::first),
    ("flatten", lists::flatten),
    ("float", math::float),
    ("forceescape", text::forceescape),
    ("from_json", json::from_json),
    ("from_yaml", yaml::from_yaml),
    ("from_yaml_all", yaml::from_yaml_all),
    ("groupby", select::groupby),
    ("hash", hash::hash),
    ("human_readable", math::human_readable),
    ("human_to_bytes", math::human_to_bytes),
    ("indent", text::indent),
    ("int", math::int),
    ("intersect", sets::intersect),
    ("items", dicts::items),
    ("items2dict", dicts::items2dict),
    ("join", text::join),
    ("last", lists::last),
    ("length", lists::length),
    ("list", lists::list),
    ("log", math::log),
    ("lower", text::lower),
    ("mandatory", types::mandatory),
    ("map", select::map),
    ("max", select::max),
    ("md5", hash::md5),
    ("min", select::min),
    ("normpath", paths::normpath),
    ("password_hash", hash::password_hash),
    ("path_join", paths::path_join),
    ("permutations", lists::permutations),
    ("pow", math::pow),
    ("pprint", text::pprint),
    ("product", lists::product),
    ("quote", encode::quote),
    ("random", random::random),
    ("realpath", paths::realpath),
    ("regex_escape", regex::regex_escape),
    ("regex_findall", regex::regex_findall),
    ("regex_replace", regex::regex_replace),
    ("regex_search", regex::regex_search),
    ("reject", select::reject),
    ("rejectattr", select::rejectattr),
    ("rekey_on_member", dicts::rekey_on_member),
    ("relpath", paths::relpath),
    ("replace", text::replace),
    ("reverse", lists::reverse),
    ("root", math::root),
    ("round", math::round),
    ("safe", text::safe),
    ("select", select::select),
    ("selectattr", select::selectattr),
    ("sha1", hash::sha1),
    ("shuffle", random::shuffle),
    ("slice", lists::slice),
    ("sort", select::sort),
    ("split", text::split),
    ("splitext", paths::splitext),
    ("strftime", dates::strftime),
    ("string", text::string),
    ("striptags", text::striptags),
    ("subelements", dicts::subelements),
    ("sum", select::sum),
    ("symmetric_difference", sets::symmetric_difference),
    ("ternary", types::ternary),
    ("title", text::title),
    ("to_datetime", dates::to_datetime),
    ("to_json", json::to_json),
    ("to_nice_json", json::to_nice_json),
    ("to_nice_yaml", yaml::to_nice_yaml),
    ("to_uuid", hash::to_uuid),
    ("to_yaml", yaml::to_yaml),
    ("tojson", json::tojson),
    ("trim", text::trim),
    ("truncate", text::truncate),
    ("type_debug", types::type_debug),
    ("union", sets::union),
    ("unique", select::unique),
    ("unvault", vault::unvault),
    ("upper", text::upper),
    ("urldecode", encode::urldecode),
    ("urlencode", encode::urlencode),
    ("urlize", wrap::urlize),
    ("urlsplit", encode::urlsplit),
    ("vault", vault::vault),
    ("win_basename", paths::win_basename),
    ("win_dirname", paths::win_dirname),
    ("win_splitdrive", paths::win_splitdrive),
    ("wordcount", text::wordcount),
    ("wordwrap", wrap::wordwrap),
    ("xmlattr", text::xmlattr),
    ("zip", lists::zip),
    ("zip_longest", lists::zip_longest),
];
