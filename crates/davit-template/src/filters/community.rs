//! Filters of the collection community.general that playbooks use daily.
//!
//! Not here: `hashids`, `jc`, `lists_*` (see [`sets`](super::sets)), `json_query` (see [`json`](super::json)).

use std::cmp::Ordering;

use davit_value::{Key, Map, Value, ValueError};
use unicode_normalization::UnicodeNormalization as _;

use super::dicts::{ListMerge, key_of, merge};
use super::random::Twister;
use crate::Call;
use crate::call::items_of;

type Answer = Result<Value, ValueError>;

fn refuse(text: impl Into<String>) -> ValueError {
    ValueError::Value(text.into())
}

/// Pairs become a dictionary.
pub(super) fn dict(call: &Call<'_>) -> Answer {
    let bound = call.bind("dict_filter", &["sequence"], 1)?;
    let mut out = Map::new();
    for (at, pair) in items_of(&bound.value(0))?.iter().enumerate() {
        let pair = items_of(pair)?;
        let [key, value] = pair.as_slice() else {
            return Err(refuse(format!(
                "dictionary update sequence element #{at} has length {}; 2 is required",
                pair.len()
            )));
        };
        out.insert(key_of(key)?, value.clone());
    }
    Ok(out.into())
}

pub(super) fn dict_kv(call: &Call<'_>) -> Answer {
    let bound = call.bind("dict_kv", &["value", "key"], 2)?;
    let mut out = Map::new();
    out.insert(key_of(&bound.value(1))?, bound.value(0));
    Ok(out.into())
}

pub(super) fn counter(call: &Call<'_>) -> Answer {
    let bound = call.bind("counter", &["sequence"], 1)?;
    let input = bound.value(0);
    if !matches!(
        input,
        Value::List(_) | Value::Tuple(_) | Value::Str(_) | Value::Map(_) | Value::Object(_)
    ) {
        return Err(refuse(format!(
            "Argument for community.general.counter must be a sequence (string or list). {} is {}",
            input.to_str(),
            input.type_name()
        )));
    }
    let mut counts: Vec<(Key, i128)> = Vec::new();
    for item in items_of(&input)? {
        let Some(key) = Key::from_value(&item) else {
            return Err(refuse(format!(
                "community.general.counter needs a sequence with hashable elements (int, float or str) - unhashable type: '{}'",
                item.type_name()
            )));
        };
        match counts.iter_mut().find(|(held, _)| *held == key) {
            Some((_, count)) => *count += 1,
            None => counts.push((key, 1)),
        }
    }
    Ok(Value::from(
        counts.into_iter().map(|(key, count)| (key, Value::Int(count))).collect::<Map>(),
    ))
}

pub(super) fn groupby_as_dict(call: &Call<'_>) -> Answer {
    let bound = call.bind("groupby_as_dict", &["sequence", "attribute"], 2)?;
    let name = key_of(&bound.value(1))?;
    let mut out = Map::new();
    let input = bound.value(0);
    let Some(list) = input.as_list() else { return Err(refuse("Input is not a sequence")) };
    for (at, item) in list.iter().enumerate() {
        let Some(map) = item.as_map() else {
            return Err(refuse(format!("Sequence element #{at} is not a mapping")));
        };
        let Some(value) = map.get_key(&name) else {
            return Err(refuse(format!("Attribute not contained in element #{at} of sequence")));
        };
        let key = key_of(value)?;
        if out.get_key(&key).is_some() {
            return Err(refuse(format!(
                "Multiple sequence entries have attribute value {}",
                value.repr()
            )));
        }
        out.insert(key, item.clone());
    }
    Ok(out.into())
}

pub(super) fn lists_mergeby(call: &Call<'_>) -> Answer {
    let mut terms: Vec<Value> =
        call.args.positional.iter().map(|value| call.deep(value)).collect::<Result<_, _>>()?;
    if terms.len() < 2 {
        return Err(refuse("At least one list is required."));
    }
    let index = terms.pop().unwrap_or_default();
    let Some(index) = index.as_str() else {
        return Err(refuse(format!(
            "The last argument must be a string. {} is {}",
            index.to_str(),
            index.type_name()
        )));
    };
    let named = |name: &str| call.args.named.get(name).map(|value| call.deep(value)).transpose();
    let recursive = named("recursive")?.map_or(Ok(false), |value| value.truthy())?;
    let lists = ListMerge::named(
        &named("list_merge")?.map_or_else(|| "replace".to_owned(), |value| value.to_str()),
    )?;
    let mut merged: Vec<(Value, Map)> = Vec::new();
    let mut all = Vec::new();
    for term in &terms {
        let Some(list) = term.as_list() else {
            return Err(refuse(format!(
                "All arguments before the argument index for community.general.lists_mergeby must be lists. {} is {}",
                term.to_str(),
                term.type_name()
            )));
        };
        // A list of lists stands for its lists.
        for item in list {
            match item {
                Value::List(inner) => all.extend(inner.iter().cloned()),
                other => all.push(other.clone()),
            }
        }
    }
    for item in &all {
        let Some(map) = item.as_map() else {
            return Err(refuse(format!(
                "Elements of list arguments for lists_mergeby must be dictionaries. {} is {}",
                item.repr(),
                item.type_name()
            )));
        };
        let Some(key) = map.get(index) else { continue };
        match merged.iter_mut().find(|(held, _)| held == key) {
            Some((_, held)) => *held = merge(held, map, recursive, lists),
            None => merged.push((key.clone(), map.clone())),
        }
    }
    merged.sort_by(|(a, _), (b, _)| a.compare(b, "<").unwrap_or(Ordering::Equal));
    Ok(Value::list(merged.into_iter().map(|(_, map)| map.into()).collect()))
}

pub(super) fn random_mac(call: &Call<'_>) -> Answer {
    let bound = call.bind("random_mac", &["value", "seed"], 1)?;
    let input = bound.value(0);
    let Some(text) = input.as_str() else {
        return Err(refuse(format!(
            "Invalid value type ({}) for random_mac ({})",
            input.type_name(),
            input.to_str()
        )));
    };
    let text = text.to_lowercase();
    let parts: Vec<&str> = text.split(':').filter(|part| !part.is_empty()).collect();
    if parts.len() > 5 {
        return Err(refuse(format!(
            "Invalid value ({text}) for random_mac: 5 colon(:) separated items max"
        )));
    }
    let mut wrong: Vec<&str> = parts
        .iter()
        .copied()
        .filter(|part| part.len() != 2 || !part.bytes().all(|byte| byte.is_ascii_hexdigit()))
        .collect();
    wrong.dedup();
    if let Some(part) = wrong.first() {
        return Err(refuse(format!("Invalid value ({text}) for random_mac: {part} not hexa byte")));
    }
    let mut twister = Twister::from_value(bound.get(1))?;
    // Five bytes are drawn at once, however many are missing.
    let low = 1_u128 << 36;
    let number = low + twister.below((1_u128 << 40) - low);
    let mut digits = format!("{number:010x}");
    digits.truncate((6 - parts.len()) * 2);
    let mut out: Vec<String> = parts.into_iter().map(str::to_owned).collect();
    out.extend(digits.as_bytes().chunks(2).map(|pair| String::from_utf8_lossy(pair).into_owned()));
    Ok(out.join(":").into())
}

const UNITS: [(&str, f64, &[&str]); 9] = [
    ("y", 31_536_000.0, &["year", "years"]),
    ("mo", 2_592_000.0, &["month", "months"]),
    ("w", 604_800.0, &["week", "weeks"]),
    ("d", 86_400.0, &["day", "days"]),
    ("h", 3600.0, &["hour", "hours"]),
    ("m", 60.0, &["min", "mins", "minute", "minutes"]),
    ("s", 1.0, &["sec", "secs", "second", "seconds"]),
    ("ms", 0.001, &["msec", "msecs", "millisecond", "milliseconds"]),
    ("us", 0.000_001, &[]),
];

/// Seconds in a unit; years and months may have other lengths in days.
fn unit_seconds(name: &str, year: f64, month: f64) -> Option<f64> {
    let name = name.trim_end_matches('.').to_lowercase();
    let (short, seconds, _) =
        UNITS.iter().find(|(short, _, names)| *short == name || names.contains(&name.as_str()))?;
    Some(match *short {
        "y" => year * 86_400.0,
        "mo" => month * 86_400.0,
        _ => *seconds,
    })
}

fn duration(call: &Call<'_>, unit: &str) -> Answer {
    let mut year = 365.0;
    let mut month = 30.0;
    for (key, value) in &call.args.named {
        let value = call.deep(value)?;
        let Some(number) = value.as_number() else { continue };
        match key.as_str() {
            Some("year") => year = number,
            Some("month") => month = number,
            Some("unit") => {}
            _ => {
                return Err(refuse(format!(
                    "to_time_unit() got unknown keyword arguments: {}",
                    key.to_text()
                )));
            }
        }
    }
    let value = call.deep(&call.input()?)?;
    let mut total = 0.0;
    for word in value.to_str().split_whitespace() {
        let at = word.find(|char: char| char.is_ascii_alphabetic()).unwrap_or(word.len());
        let (number, name) = word.split_at(at);
        let number: f64 = number.parse().map_err(|_| {
            refuse(format!("to_time_unit() can not interpret following string: {}", value.to_str()))
        })?;
        if name.is_empty() && number != 0.0 {
            return Err(refuse(format!(
                "to_time_unit() can not convert the following string to unit: {}",
                value.to_str()
            )));
        }
        let seconds = if name.is_empty() { Some(1.0) } else { unit_seconds(name, year, month) };
        total += number
            * seconds.ok_or_else(|| {
                refuse(format!(
                    "to_time_unit() can not interpret following string: {}",
                    value.to_str()
                ))
            })?;
    }
    let Some(seconds) = unit_seconds(unit, year, month) else {
        return Err(refuse(format!(
            "to_time_unit() can not convert to the following unit: {unit}. Available units (singular or plural): year, month, week, day, hour, minute, second, millisecond"
        )));
    };
    Ok(Value::Float(super::math::round_to(total / seconds, 12)))
}

pub(super) fn to_time_unit(call: &Call<'_>) -> Answer {
    let unit = match call.args.positional.get(1).or_else(|| call.args.named.get("unit")) {
        Some(unit) => call.deep(unit)?.to_str(),
        None => "ms".into(),
    };
    duration(call, &unit)
}

pub(super) fn to_milliseconds(call: &Call<'_>) -> Answer {
    duration(call, "ms")
}

pub(super) fn to_seconds(call: &Call<'_>) -> Answer {
    duration(call, "s")
}

pub(super) fn to_minutes(call: &Call<'_>) -> Answer {
    duration(call, "m")
}

pub(super) fn to_hours(call: &Call<'_>) -> Answer {
    duration(call, "h")
}

pub(super) fn to_days(call: &Call<'_>) -> Answer {
    duration(call, "d")
}

pub(super) fn to_weeks(call: &Call<'_>) -> Answer {
    duration(call, "w")
}

pub(super) fn to_months(call: &Call<'_>) -> Answer {
    duration(call, "mo")
}

pub(super) fn to_years(call: &Call<'_>) -> Answer {
    duration(call, "y")
}

pub(super) fn version_sort(call: &Call<'_>) -> Answer {
    let bound = call.bind("version_sort", &["value", "reverse"], 1)?;
    let mut keyed: Vec<(Value, Value)> = items_of(&bound.value(0))?
        .into_iter()
        .map(|item| (Value::list(crate::tests::version::loose_parts(&item.to_str())), item))
        .collect();
    super::select::sort_by_keys(&mut keyed, bound.truth(1, false)?)?;
    Ok(Value::list(keyed.into_iter().map(|(_, item)| item).collect()))
}

pub(super) fn unicode_normalize(call: &Call<'_>) -> Answer {
    let bound = call.bind("unicode_normalize", &["data", "form"], 1)?;
    let input = bound.value(0);
    let Some(text) = input.as_str() else {
        return Err(refuse(format!("{} is not a valid input type", input.type_name())));
    };
    Ok(match bound.text_or(1, "NFC").as_str() {
        "NFC" => text.nfc().collect::<String>(),
        "NFD" => text.nfd().collect(),
        "NFKC" => text.nfkc().collect(),
        "NFKD" => text.nfkd().collect(),
        other => return Err(refuse(format!("{} is not a valid form", Value::from(other).repr()))),
    }
    .into())
}

pub(super) fn from_csv(call: &Call<'_>) -> Answer {
    let params = &["data", "dialect", "fieldnames", "delimiter", "skipinitialspace", "strict"];
    let bound = call.bind("from_csv", params, 1)?;
    let delimiter = match (bound.some(3).map(Value::to_str), bound.text_or(1, "excel").as_str()) {
        (Some(text), _) if text.len() == 1 => text.as_bytes()[0],
        (Some(_), _) => return Err(refuse("\"delimiter\" must be a 1-character string")),
        (None, "excel" | "unix") => b',',
        (None, "excel-tab") => b'\t',
        (None, other) => {
            return Err(refuse(format!(
                "Dialect '{other}' is not supported by your version of python."
            )));
        }
    };
    let names = bound.some(2).map(items_of).transpose()?;
    let skip = bound.truth(4, false)?;
    let text = bound.text(0);
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .delimiter(delimiter)
        .from_reader(text.as_bytes());
    let mut rows = Vec::new();
    for row in reader.records() {
        let row = row.map_err(|error| refuse(format!("Unable to process file: {error}")))?;
        rows.push(
            row.iter()
                .map(|cell| Value::from(if skip { cell.trim_start() } else { cell }))
                .collect::<Vec<_>>(),
        );
    }
    let mut rows = rows.into_iter();
    let Some(header) = names.or_else(|| rows.next()) else { return Ok(Value::list(Vec::new())) };
    let mut out = Vec::new();
    for row in rows {
        let mut map = Map::new();
        for (at, name) in header.iter().enumerate() {
            map.insert(key_of(name)?, row.get(at).cloned().unwrap_or_default());
        }
        out.push(map.into());
    }
    Ok(Value::list(out))
}

pub(super) fn from_ini(call: &Call<'_>) -> Answer {
    let bound = call.bind("from_ini", &["obj"], 1)?;
    let input = bound.value(0);
    let Some(text) = input.as_str() else {
        return Err(refuse(format!(
            "from_ini requires a str, got <class '{}'>",
            input.type_name()
        )));
    };
    let sections = crate::lookups::ini_sections(text)
        .map_err(|error| refuse(format!("from_ini failed to parse given string: {error}")))?;
    let mut out = Map::new();
    for (name, entries) in sections {
        let entries: Map = entries
            .into_iter()
            .map(|(key, value)| (key, Value::from(value.unwrap_or_default())))
            .collect();
        out.insert(name, entries.into());
    }
    Ok(out.into())
}

pub(super) fn to_ini(call: &Call<'_>) -> Answer {
    let bound = call.bind("to_ini", &["obj"], 1)?;
    let input = bound.value(0);
    let Some(map) = input.as_map() else {
        return Err(refuse(format!("to_ini requires a dict, got <class '{}'>", input.type_name())));
    };
    if map.is_empty() {
        return Err(refuse("to_ini received an empty dict. An empty dict cannot be converted."));
    }
    let mut out = String::new();
    for (name, section) in map {
        let Some(entries) = section.as_map() else {
            return Err(refuse("to_ini failed to parse given dict:"));
        };
        out.push_str(&format!("[{}]\n", name.to_text()));
        for (key, value) in entries {
            out.push_str(&format!(
                "{} = {}\n",
                key.to_text(),
                value.to_str().replace('\n', "\n\t")
            ));
        }
        out.push('\n');
    }
    out.pop();
    Ok(out.into())
}

/// How a key is matched by `keep_keys` and its kin.
fn matches(key: &str, target: &str, how: &str) -> Result<bool, ValueError> {
    Ok(match how {
        "equal" => key == target,
        "starts_with" => key.starts_with(target),
        "ends_with" => key.ends_with(target),
        "regex" => super::pattern::Pattern::new(target, super::pattern::Flags::default())?
            .find_from(key, 0)?
            .is_some_and(|found| found.get(0).is_some_and(|it| it.start() == 0)),
        other => {
            return Err(refuse(format!(
                "The matching_parameter must be one of equal, starts_with, ends_with, regex. matching_parameter={other}"
            )));
        }
    })
}

fn each_dict(call: &Call<'_>, keep: impl Fn(&Key) -> Result<Option<Key>, ValueError>) -> Answer {
    let input = call.deep(&call.input()?)?;
    let Some(list) = input.as_list() else {
        return Err(refuse(format!(
            "The data must be a list. {} is {}",
            input.to_str(),
            input.type_name()
        )));
    };
    let mut out = Vec::new();
    for item in list {
        let Some(map) = item.as_map() else {
            return Err(refuse(format!(
                "The elements of the data list must be dictionaries. {} is {}",
                item.to_str(),
                item.type_name()
            )));
        };
        let mut kept = Map::new();
        for (key, value) in map {
            if let Some(key) = keep(key)? {
                kept.insert(key, value.clone());
            }
        }
        out.push(kept.into());
    }
    Ok(Value::list(out))
}

struct Targets {
    names: Vec<Value>,
    how: String,
}

fn targets(call: &Call<'_>) -> Result<Targets, ValueError> {
    let named = |name: &str, at: usize| {
        call.args
            .named
            .get(name)
            .or_else(|| call.args.positional.get(at))
            .map(|value| call.deep(value))
            .transpose()
    };
    let names = match named("target", 1)? {
        None => return Err(refuse("missing 1 required positional argument: 'target'")),
        Some(Value::Str(text)) => vec![Value::Str(text)],
        Some(other) => items_of(&other)?,
    };
    Ok(Targets {
        names,
        how: named("matching_parameter", 2)?
            .map_or_else(|| "equal".to_owned(), |value| value.to_str()),
    })
}

impl Targets {
    fn hit(&self, key: &Key) -> Result<bool, ValueError> {
        for name in &self.names {
            if matches(&key.to_text(), &name.to_str(), &self.how)? {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

pub(super) fn keep_keys(call: &Call<'_>) -> Answer {
    let targets = targets(call)?;
    each_dict(call, |key| Ok(targets.hit(key)?.then(|| key.clone())))
}

pub(super) fn remove_keys(call: &Call<'_>) -> Answer {
    let targets = targets(call)?;
    each_dict(call, |key| Ok((!targets.hit(key)?).then(|| key.clone())))
}

pub(super) fn replace_keys(call: &Call<'_>) -> Answer {
    let Targets { names, how } = targets(call)?;
    let mut pairs = Vec::new();
    for name in &names {
        match (name.get("before"), name.get("after")) {
            (Some(before), Some(after)) => pairs.push((before.to_str(), key_of(after)?)),
            _ => {
                return Err(refuse(
                    "The target must be a list of dictionaries with the attributes after and before.",
                ));
            }
        }
    }
    each_dict(call, |key| {
        for (before, after) in &pairs {
            if matches(&key.to_text(), before, &how)? {
                return Ok(Some(after.clone()));
            }
        }
        Ok(Some(key.clone()))
    })
}

/// The type of a value and of what it holds, one level deep: `list[dict]`.
fn reveal(value: &Value, alias: &Map) -> String {
    let name = |text: &str| alias.get(text).map_or_else(|| text.to_owned(), Value::to_str);
    let joined = |values: Vec<String>| {
        let mut values = values;
        values.sort();
        values.dedup();
        values.join("|")
    };
    let inner = |value: &Value| name(value.type_name());
    match value {
        Value::Map(map) => {
            let keys = joined(map.keys().map(|key| inner(&key.to_value())).collect());
            let values = joined(map.values().map(inner).collect());
            format!("{}[{keys}, {values}]", name("dict"))
        }
        Value::List(list) => {
            format!("{}[{}]", name("list"), joined(list.iter().map(inner).collect()))
        }
        Value::Tuple(list) => {
            format!("{}[{}]", name("tuple"), joined(list.iter().map(inner).collect()))
        }
        other => name(other.type_name()),
    }
}

pub(super) fn reveal_ansible_type(call: &Call<'_>) -> Answer {
    let bound = call.bind("reveal_ansible_type", &["data", "alias"], 1)?;
    let alias = bound.some(1).and_then(Value::as_map).cloned().unwrap_or_default();
    Ok(reveal(&bound.value(0), &alias).into())
}
