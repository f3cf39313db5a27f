//! The global functions: `range`, `dict`, `lookup`, `now` and the others.

use std::any::Any;
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex};

use davit_value::{Args, Map, Object, Value, ValueError};

use crate::methods::{container, strftime};
use crate::objects::{Cycler, Joiner, Namespace, Range};
use crate::{Env, Error, access};

/// A global function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Global {
    Cycler,
    Dict,
    Joiner,
    Lipsum,
    Lookup,
    Namespace,
    Now,
    Query,
    Range,
    Undef,
}

/// Every global by name, sorted.
const GLOBALS: &[(&str, Global)] = &[
    ("cycler", Global::Cycler),
    ("dict", Global::Dict),
    ("joiner", Global::Joiner),
    ("lipsum", Global::Lipsum),
    ("lookup", Global::Lookup),
    ("namespace", Global::Namespace),
    ("now", Global::Now),
    ("q", Global::Query),
    ("query", Global::Query),
    ("range", Global::Range),
    ("undef", Global::Undef),
];

/// The longest range: what comes of it is a list in memory.
const MAX_RANGE: usize = 20_000_000;

/// The global of that name.
pub(crate) fn get(name: &str) -> Option<Value> {
    let place = GLOBALS.binary_search_by_key(&name, |(name, _)| name).ok()?;
    Some(Value::Object(Arc::new(GLOBALS[place].1)))
}

/// True for a name that is global.
pub(crate) fn is_global(name: &str) -> bool {
    GLOBALS.binary_search_by_key(&name, |(name, _)| name).is_ok()
}

impl Global {
    /// Its arguments are passed on as they are, to be rendered when they are touched.
    pub(crate) fn takes_live(self) -> bool {
        matches!(self, Self::Dict | Self::Namespace)
    }

    /// Strings written as arguments are templates where they look like it.
    pub(crate) fn renders_constants(&self) -> bool {
        matches!(self, Self::Lookup | Self::Query)
    }
}

impl Object for Global {
    fn type_name(&self) -> &'static str {
        match self {
            Self::Range | Self::Dict | Self::Cycler | Self::Joiner | Self::Namespace => "type",
            _ => "function",
        }
    }

    fn is_callable(&self) -> bool {
        true
    }

    fn repr(&self) -> String {
        match self {
            Self::Range => "<class 'range'>".into(),
            Self::Dict => "<class 'dict'>".into(),
            other => format!("<function {}>", format!("{other:?}").to_lowercase()),
        }
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// Calls a global.
pub(crate) fn call(global: Global, env: &Env<'_>, args: Args) -> Result<Value, Error> {
    match global {
        Global::Lookup => lookup(env, args, false),
        Global::Query => lookup(env, args, true),
        Global::Range => Ok(range(&args)?),
        Global::Dict => Ok(dictionary(env, &args)?.into()),
        Global::Namespace => {
            Ok(Value::Object(Arc::new(Namespace(Mutex::new(dictionary(env, &args)?)))))
        }
        Global::Cycler if args.positional.is_empty() => {
            Err(ValueError::Value("at least one item has to be provided".into()).into())
        }
        Global::Cycler => Ok(Value::Object(Arc::new(Cycler {
            items: args.positional,
            place: Arc::new(AtomicUsize::new(0)),
        }))),
        Global::Joiner => {
            let separator =
                args.positional.into_iter().next().or_else(|| args.named.get("sep").cloned());
            let separator = separator.unwrap_or_else(|| Value::from(", "));
            Ok(Value::Object(Arc::new(Joiner { separator, used: AtomicUsize::new(0) })))
        }
        Global::Lipsum => Ok(Value::from(lipsum(&args))),
        Global::Now => Ok(now(&args)?),
        Global::Undef => {
            let hint = args.positional.first().or_else(|| args.named.get("hint"));
            let message = match hint {
                None | Some(Value::Null) => "Mandatory variable has not been overridden".to_owned(),
                Some(hint) => hint.to_str(),
            };
            Ok(Value::undefined_because(message))
        }
    }
}

fn range(args: &Args) -> Result<Value, ValueError> {
    let mut numbers = Vec::new();
    for value in &args.positional {
        match value {
            Value::Int(int) => numbers.push(*int),
            Value::Bool(bool) => numbers.push(i128::from(*bool)),
            other => {
                return Err(ValueError::Type(format!(
                    "'{}' object cannot be interpreted as an integer",
                    other.type_name()
                )));
            }
        }
    }
    let (start, stop, step) = match numbers.as_slice() {
        [stop] => (0, *stop, 1),
        [start, stop] => (*start, *stop, 1),
        [start, stop, step] => (*start, *stop, *step),
        [] => return Err(ValueError::Type("range expected at least 1 argument, got 0".into())),
        more => {
            return Err(ValueError::Type(format!(
                "range expected at most 3 arguments, got {}",
                more.len()
            )));
        }
    };
    if step == 0 {
        return Err(ValueError::Value("range() arg 3 must not be zero".into()));
    }
    let bound = i128::from(i64::MAX);
    let range = Range {
        start: start.clamp(-bound, bound),
        stop: stop.clamp(-bound, bound),
        step: step.clamp(-bound, bound),
    };
    if range.length() > MAX_RANGE {
        return Err(ValueError::Value(format!("the range is longer than {MAX_RANGE}")));
    }
    Ok(Value::Object(Arc::new(range)))
}

fn dictionary(env: &Env<'_>, args: &Args) -> Result<Map, Error> {
    let mut out = match args.positional.first() {
        Some(value) => {
            let value = match value {
                Value::Map(_) => value.clone(),
                other => access::plain(env, other)?,
            };
            container::dictionary(&value)?
        }
        None => Map::new(),
    };
    if args.positional.len() > 1 {
        let message = format!("dict expected at most 1 argument, got {}", args.positional.len());
        return Err(ValueError::Type(message).into());
    }
    out.extend(&args.named);
    Ok(out)
}

/// `lookup` and `query`: the first argument is the name, `wantlist` and `errors` are for the call itself.
fn lookup(env: &Env<'_>, args: Args, as_list: bool) -> Result<Value, Error> {
    let mut terms = args.positional.into_iter();
    let Some(name) = terms.next() else {
        let function = if as_list { "_query" } else { "_lookup" };
        let message = format!("{function}() missing 1 required positional argument: 'plugin_name'");
        return Err(ValueError::Type(message).into());
    };
    let mut options = args.named;
    let wants_list = match options.remove("wantlist") {
        Some(value) => value.truthy()?,
        None => as_list,
    };
    let errors =
        options.remove("errors").map_or_else(|| "strict".to_owned(), |value| value.to_str());
    let name = name.to_str();
    let items = match env.call_lookup_plainly(&name, terms.collect(), options) {
        Ok(items) => items,
        Err(error) if matches!(&*errors, "warn" | "ignore") && env.engine.has_lookup(&name) => {
            if errors == "warn" {
                env.outside.warn(&error.to_string());
            }
            return Ok(if wants_list { Value::list(Vec::new()) } else { Value::Null });
        }
        Err(error) => return Err(error),
    };
    if wants_list {
        return Ok(Value::list(items));
    }
    if items.len() == 1 {
        return Ok(items.into_iter().next().unwrap_or_default());
    }
    if !items.is_empty() && items.iter().all(|item| item.as_str().is_some()) {
        let texts: Vec<&str> = items.iter().filter_map(Value::as_str).collect();
        return Ok(Value::from(texts.join(",")));
    }
    Ok(Value::list(items))
}

fn now(args: &Args) -> Result<Value, ValueError> {
    if args.positional.len() > 2 {
        return Err(ValueError::Type(format!(
            "_now() takes from 0 to 2 positional arguments but {} were given",
            args.positional.len()
        )));
    }
    for name in args.named.keys() {
        if !matches!(name.as_str(), Some("utc" | "fmt")) {
            return Err(ValueError::Type(format!(
                "_now() got an unexpected keyword argument '{}'",
                name.to_text()
            )));
        }
    }
    let utc = args
        .positional
        .first()
        .or_else(|| args.named.get("utc"))
        .map_or(Ok(false), Value::truthy)?;
    let zone = if utc { jiff::tz::TimeZone::UTC } else { jiff::tz::TimeZone::system() };
    let at = jiff::Timestamp::now().to_zoned(zone).datetime();
    // Python counts microseconds.
    let at = at.with().nanosecond(0).microsecond(at.microsecond()).build().unwrap_or(at);
    let value = Value::DateTime(at, None);
    match args.positional.get(1).or_else(|| args.named.get("fmt")) {
        Some(Value::Str(format)) if !format.is_empty() => Ok(Value::from(strftime(&value, format))),
        _ => Ok(value),
    }
}

const WORDS: &str = "a ac accumsan ad adipiscing aenean aliquam aliquet amet ante aptent arcu at auctor augue bibendum blandit class commodo \
condimentum congue consectetuer consequat conubia convallis cras cubilia cum curabitur curae cursus dapibus diam dictum dictumst dignissim dis \
dolor donec dui duis egestas eget eleifend elementum elit enim erat eros est et etiam eu euismod facilisi facilisis fames faucibus felis \
fermentum feugiat fringilla fusce gravida habitant hac hendrerit hymenaeos iaculis id imperdiet in inceptos integer interdum ipsum justo";

/// `lipsum(n=5, html=True, min=20, max=100)`: filler text.
fn lipsum(args: &Args) -> String {
    let get =
        |place: usize, name: &str| args.positional.get(place).or_else(|| args.named.get(name));
    let number = |place: usize, name: &str, default: usize| {
        get(place, name)
            .and_then(Value::as_int)
            .and_then(|int| usize::try_from(int).ok())
            .unwrap_or(default)
            .min(10_000)
    };
    let (paragraphs, least, most) =
        (number(0, "n", 5), number(2, "min", 20), number(3, "max", 100));
    let html = get(1, "html").is_none_or(|value| value.truthy().unwrap_or(true));
    let words: Vec<&str> = WORDS.split_whitespace().collect();
    let mut made = Vec::new();
    for _ in 0..paragraphs.min(1_000) {
        let count = if most > least { rand::random_range(least..most) } else { least };
        let mut text = String::new();
        let mut capital = true;
        for at in 0..count {
            let word = words[rand::random_range(0..words.len())];
            if at > 0 {
                text.push(' ');
            }
            if capital {
                text.push_str(&word[..1].to_uppercase());
                text.push_str(&word[1..]);
            } else {
                text.push_str(word);
            }
            capital = at + 1 < count && rand::random_range(0..12) == 0;
            if capital {
                text.push('.');
            }
        }
        text.push('.');
        made.push(if html { format!("<p>{text}</p>") } else { text });
    }
    made.join(if html { "\n" } else { "\n\n" })
}
