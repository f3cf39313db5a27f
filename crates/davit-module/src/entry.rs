//! A module, and its line in the table.

use davit_event::Reply;
use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::spec::{ArgError, Checked, Rules, Spec};
use crate::{Call, Host, ModuleError, Outcome, Session};

/// What a no-log argument shows as.
const CENSORED: &str = "VALUE_SPECIFIED_IN_NO_LOG_PARAMETER";

/// A unit of work that a task can name, such as `ansible.builtin.copy`.
pub trait Module {
    /// The full name: `namespace.collection.module`.
    const NAME: &'static str;

    /// What a task may write under the module's name. Its doc comments are the manual.
    type Args: DeserializeOwned + JsonSchema;

    /// How arguments depend on one another.
    const RULES: Rules = Rules::NONE;

    /// The argument that takes the text of `module: some text`, where the module has one.
    const FREE_FORM: Option<&'static str> = None;

    /// How well it predicts in check mode.
    const CHECK_MODE: Support = Support::Full;

    /// The result holds `ansible_facts`.
    const FACTS: bool = false;

    /// Brings the host to what `args` ask for, through the gate.
    ///
    /// A second run with the same `args` changes nothing.
    ///
    /// # Errors
    /// Where the host could not be read or brought to that state.
    fn run(host: &mut Host<'_>, args: Self::Args) -> Result<Outcome, ModuleError>;
}

/// How well a module supports check mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Support {
    /// It says what it would do.
    Full,
    /// It says so for some arguments, and skips for others.
    Partial,
    /// It is skipped.
    None,
}

/// A line of the table of modules: a [`Module`] without its type.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    /// [`Module::NAME`].
    pub name: &'static str,
    /// The JSON schema of [`Module::Args`], all in one piece.
    pub schema: fn() -> Schema,
    /// What [`Module::run`] gives, without an argument check.
    run: fn(&mut Host<'_>, Reply) -> Result<Outcome, ModuleError>,
    /// [`Module::RULES`].
    pub rules: Rules,
    /// [`Module::FREE_FORM`].
    pub free_form: Option<&'static str>,
    /// [`Module::CHECK_MODE`].
    pub check_mode: Support,
    /// [`Module::FACTS`].
    pub facts: bool,
}

impl Entry {
    /// The line for `M`.
    #[must_use]
    pub const fn of<M: Module>() -> Self {
        Self {
            name: M::NAME,
            schema: schema_of::<M::Args>,
            run: run::<M>,
            rules: M::RULES,
            free_form: M::FREE_FORM,
            check_mode: M::CHECK_MODE,
            facts: M::FACTS,
        }
    }

    /// The last part of the name: `copy`.
    #[must_use]
    pub fn short_name(&self) -> &'static str {
        self.name.rsplit('.').next().unwrap_or(self.name)
    }

    /// What arguments it takes. Derived anew on each call: keep it.
    #[must_use]
    pub fn spec(&self) -> Spec {
        Spec::from_schema(self.short_name(), &(self.schema)(), self.rules)
    }

    /// Checks the arguments and runs the module. A failure is a reply with `failed: true`.
    #[must_use]
    pub fn call(&self, session: &Session, call: &Call) -> Reply {
        self.call_with(&self.spec(), session, call)
    }

    /// [`Self::call`] with the [`Self::spec`] that the caller has kept.
    #[must_use]
    pub fn call_with(&self, spec: &Spec, session: &Session, call: &Call) -> Reply {
        let mut host = Host::new(session, call);
        let name = if call.name.is_empty() { &spec.module } else { &call.name };
        let checked = spec.check_named(name, &call.args, &|name| host.variable(name));
        let (mut reply, shown) = match checked {
            Ok(Checked { args, warnings, deprecations }) => {
                warnings.into_iter().for_each(|it| host.warn(it));
                deprecations.into_iter().for_each(|it| host.deprecate(it));
                let shown = args.clone();
                let secrets = spec.secrets(&args);
                let (mut reply, bare) = match (self.run)(&mut host, args) {
                    Ok(outcome) => {
                        let bare = outcome.is_bare();
                        (outcome.into_reply(host.is_changed()), bare)
                    }
                    Err(error) => (unpredicted(error, host.is_check()), false),
                };
                if !bare {
                    host.add_path_keys(&mut reply);
                }
                hide(&mut reply, &secrets);
                (reply, shown)
            }
            Err(errors) => (ModuleError::Args { errors }.into_reply(), call.args.clone()),
        };
        host.finish(&mut reply);
        // What davit itself asks nobody reads again, and it may be long.
        if self.name.starts_with("davit.host.") {
            shown_only(&mut reply, call.diff);
        } else {
            close(&mut reply, spec, shown, call.diff);
        }
        reply
    }
}

/// Takes out of a result what nobody asked for, and adds how the module was called.
pub(crate) fn close(reply: &mut Reply, spec: &Spec, args: Reply, diff: bool) {
    shown_only(reply, diff);
    let mut invocation = Reply::new();
    invocation.insert("module_args".to_owned(), Value::Object(censored(spec, args)));
    reply.insert("invocation".to_owned(), Value::Object(invocation));
}

fn shown_only(reply: &mut Reply, diff: bool) {
    if !diff {
        unshown(reply);
    }
}

/// The JSON schema of arguments, all in one piece.
pub(crate) fn schema_of<A: JsonSchema>() -> Schema {
    let settings = SchemaSettings::draft2020_12().with(|it| it.inline_subschemas = true);
    settings.into_generator().into_root_schema_for::<A>()
}

/// Arguments that were checked, as their struct.
pub(crate) fn parsed<A: DeserializeOwned>(args: Reply) -> Result<A, ModuleError> {
    serde_json::from_value(Value::Object(args)).map_err(|source| ModuleError::Args {
        errors: vec![ArgError::Shape { text: source.to_string() }],
    })
}

fn run<M: Module>(host: &mut Host<'_>, args: Reply) -> Result<Outcome, ModuleError> {
    M::run(host, parsed(args)?)
}

/// The result of a failure. What a dry run cannot know is no failure: the task may well succeed.
pub(crate) fn unpredicted(error: ModuleError, check: bool) -> Reply {
    let unknown = matches!(error, ModuleError::Unpredicted { .. });
    let mut reply = error.into_reply();
    if unknown && check {
        reply.remove("failed");
        reply.insert("changed".to_owned(), true.into());
        reply.insert("predicted".to_owned(), false.into());
    }
    reply
}

/// What is left of `diff` where none was asked for: of a list its headers, else nothing.
fn unshown(reply: &mut Reply) {
    let Some(Value::Array(parts)) = reply.get_mut("diff") else {
        reply.remove("diff");
        return;
    };
    for part in parts {
        let Value::Object(part) = part else { continue };
        let attributes = part
            .get("before_header")
            .and_then(Value::as_str)
            .is_some_and(|it| it.ends_with("(file attributes)"));
        if !attributes {
            for side in ["before", "after"] {
                part.insert(side.to_owned(), "".into());
            }
        }
    }
}

/// The arguments as they may be shown.
fn censored(spec: &Spec, mut args: Reply) -> Reply {
    for (key, value) in &mut args {
        if !value.is_null() && spec.option(key).is_some_and(|it| it.no_log) {
            *value = CENSORED.into();
        }
    }
    args
}

/// Takes the values of no-log arguments out of a result.
pub(crate) fn hide(reply: &mut Reply, secrets: &[String]) {
    if !secrets.is_empty() {
        reply.values_mut().for_each(|it| hide_in(it, secrets));
    }
}

fn hide_in(value: &mut Value, secrets: &[String]) {
    match value {
        Value::String(text) => {
            for secret in secrets {
                if text == secret {
                    *text = CENSORED.to_owned();
                } else if text.contains(secret.as_str()) {
                    *text = text.replace(secret.as_str(), "********");
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|it| hide_in(it, secrets)),
        Value::Object(map) => map.values_mut().for_each(|it| hide_in(it, secrets)),
        _ => {}
    }
}
