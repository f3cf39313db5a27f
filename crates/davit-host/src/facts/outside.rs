//! Facts of other programs, where they are installed: `facter` and `ohai`.

use serde_json::{Map, Value};

use super::Gathering;

/// Facts of Puppet's `facter`, with `facter_` in front.
pub(crate) fn facter(to: &mut Gathering<'_>) {
    // cfacter is the name that it had for a while.
    let Some(program) = ["facter", "cfacter"].iter().find(|it| to.place.program(it).is_some())
    else {
        return;
    };
    add(to, "facter_", &[program, "--puppet", "--json"]);
}

/// Facts of Chef's `ohai`, with `ohai_` in front.
pub(crate) fn ohai(to: &mut Gathering<'_>) {
    if to.place.program("ohai").is_some() {
        add(to, "ohai_", &["ohai"]);
    }
}

fn add(to: &mut Gathering<'_>, prefix: &str, argv: &[&str]) {
    let text = to.place.output(argv);
    let facts = text.and_then(|it| serde_json::from_str::<Map<String, Value>>(&it).ok());
    for (name, value) in facts.unwrap_or_default() {
        to.outside.insert(format!("{prefix}{}", name.replace('-', "_")), value);
    }
}
