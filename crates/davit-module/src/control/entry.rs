//! A control module, and its line in the table.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;

use davit_event::Reply;
use schemars::{JsonSchema, Schema};
use serde::de::DeserializeOwned;

use super::{Control, Lent};
use crate::entry::{close, hide, parsed, schema_of, unpredicted};
use crate::spec::{Checked, Rules, Spec};
use crate::{Call, ModuleError, Outcome, Support};

/// What [`Module::run`] gives, without its type.
pub type Running<'a> = Pin<Box<dyn Future<Output = Result<Outcome, ModuleError>> + Send + 'a>>;

/// Says what is odd about arguments as they are written, in the environment of the program. What is only known at run
/// time is null in them. It asks nobody.
pub type Look = fn(&Reply, &BTreeMap<String, String>) -> Vec<Odd>;

/// Something odd about an argument: most probably a mistake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Odd {
    /// The argument, and where in it: `parameters.Filters`.
    pub argument: String,
    /// What is odd about it.
    pub message: String,
}

impl Odd {
    /// Something odd.
    pub fn new(argument: impl Into<String>, message: impl ToString) -> Self {
        Self { argument: argument.into(), message: message.to_string() }
    }
}

/// A unit of work that a task can name and that talks to an API, such as
/// `amazon.aws.ec2_instance`.
pub trait Module {
    /// The full name: `namespace.collection.module`.
    const NAME: &'static str;

    /// Names that it had once and is still known by: `ec2_group`, `community.aws.ec2_eip`. One
    /// without dots was `ansible.builtin`'s.
    const FORMER_NAMES: &'static [&'static str] = &[];

    /// What a task may write under the module's name. Its doc comments are the manual.
    type Args: DeserializeOwned + JsonSchema + Send;

    /// How arguments depend on one another.
    const RULES: Rules = Rules::NONE;

    /// The argument that takes the text of `module: some text`, where the module has one.
    const FREE_FORM: Option<&'static str> = None;

    /// How well it predicts in check mode.
    const CHECK_MODE: Support = Support::Full;

    /// Looks at arguments before anything runs, for what their types do not say.
    const LOOK: Option<Look> = None;

    /// Brings what is behind the API to what `args` ask for, through the gate.
    ///
    /// A second run with the same `args` changes nothing. The future is dropped where the task is
    /// to stop, and must not block the thread.
    ///
    /// # Errors
    /// Where the API could not be asked, or what is behind it not brought to that state.
    fn run(
        control: &Control,
        args: Self::Args,
    ) -> impl Future<Output = Result<Outcome, ModuleError>> + Send;
}

/// A line of the table of control modules: a [`Module`] without its type.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    /// [`Module::NAME`].
    pub name: &'static str,
    /// [`Module::FORMER_NAMES`].
    pub former_names: &'static [&'static str],
    /// The JSON schema of [`Module::Args`], all in one piece.
    pub schema: fn() -> Schema,
    /// What [`Module::run`] gives, without an argument check.
    run: for<'a> fn(&'a Control, Reply) -> Running<'a>,
    /// [`Module::RULES`].
    pub rules: Rules,
    /// [`Module::FREE_FORM`].
    pub free_form: Option<&'static str>,
    /// [`Module::CHECK_MODE`].
    pub check_mode: Support,
    /// [`Module::LOOK`].
    pub look: Option<Look>,
}

impl Entry {
    /// The line for `M`.
    #[must_use]
    pub const fn of<M: Module>() -> Self {
        Self {
            name: M::NAME,
            former_names: M::FORMER_NAMES,
            schema: schema_of::<M::Args>,
            run: run::<M>,
            rules: M::RULES,
            free_form: M::FREE_FORM,
            check_mode: M::CHECK_MODE,
            look: M::LOOK,
        }
    }

    /// The last part of the name: `ec2_instance`.
    #[must_use]
    pub fn short_name(&self) -> &'static str {
        self.name.rsplit('.').next().unwrap_or(self.name)
    }

    /// What arguments it takes. Derived anew on each call: keep it.
    #[must_use]
    pub fn spec(&self) -> Spec {
        Spec::from_schema(self.short_name(), &(self.schema)(), self.rules)
    }

    /// Checks the arguments by `spec`, which is [`Self::spec`], and runs the module. A failure is
    /// a reply with `failed: true`.
    pub async fn call(&self, spec: &Spec, mut call: Call, lent: Lent) -> Reply {
        let given = std::mem::take(&mut call.args);
        let control = Control::new(call, lent);
        let name = if control.name().is_empty() { &spec.module } else { control.name() };
        let checked =
            spec.check_named(name, &given, &|name| control.variable(name).map(str::to_owned));
        let (mut reply, shown) = match checked {
            Ok(Checked { args, warnings, deprecations }) => {
                warnings.into_iter().for_each(|it| control.warn(it));
                deprecations.into_iter().for_each(|it| control.deprecate(it));
                let (shown, secrets) = (args.clone(), spec.secrets(&args));
                let mut reply = if control.is_check() && self.check_mode == Support::None {
                    skipped(name)
                } else {
                    match (self.run)(&control, args).await {
                        Ok(outcome) => outcome.into_reply(control.is_changed()),
                        Err(error) => failed(&control, error),
                    }
                };
                hide(&mut reply, &secrets);
                (reply, shown)
            }
            Err(errors) => (ModuleError::Args { errors }.into_reply(), given),
        };
        control.finish(&mut reply);
        close(&mut reply, spec, shown, control.wants_diff());
        reply
    }
}

fn run<M: Module>(control: &Control, args: Reply) -> Running<'_> {
    Box::pin(async move { M::run(control, parsed(args)?).await })
}

/// The result of a failure, which may have come after something was changed.
fn failed(control: &Control, error: ModuleError) -> Reply {
    let mut reply = unpredicted(error, control.is_check());
    if control.is_changed() {
        reply.insert("changed".to_owned(), true.into());
    }
    reply
}

/// What the original says of a module that cannot predict.
fn skipped(name: &str) -> Reply {
    Outcome::new()
        .msg(format!("remote module ({name}) does not support check mode"))
        .with("skipped", true)
        .into_reply(false)
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::sync::{Arc, Mutex};
    use std::task::{Context, Poll, Waker};

    use serde::Deserialize;
    use serde_json::json;

    use super::*;
    use crate::control::{ApiChange, Edit};

    /// Keep a lamp on or off.
    #[derive(Deserialize, JsonSchema)]
    struct Args {
        /// Whether it is lit.
        lit: bool,
        /// What opens the house.
        #[serde(default)]
        #[schemars(extend("x-no-log" = true))]
        code: Option<String>,
        /// What goes wrong.
        #[serde(default)]
        wrong: Option<String>,
    }

    struct Lamp;

    impl Module for Lamp {
        const NAME: &'static str = "example.house.lamp";
        type Args = Args;

        async fn run(control: &Control, args: Args) -> Result<Outcome, ModuleError> {
            let calls = control.shared().get("calls", || Mutex::new(0_u32));
            let edit = Edit::new("switch it", "lamp").from(!args.lit).to(args.lit);
            let act = async || {
                *calls.lock().unwrap() += 1;
                match args.wrong.as_deref() {
                    Some("refused") => Err(ModuleError::failed("no")),
                    Some("for ever") => std::future::pending().await,
                    _ => Ok("arn:lamp".to_owned()),
                }
            };
            let arn = control.create(edit, act, |arn: &String| Some(arn.clone())).await?;
            match args.wrong.as_deref() {
                Some("late") => Err(ModuleError::failed("too late").with("arn", arn)),
                Some("unknown") => Err(ModuleError::Unpredicted { path: "lamp".into() }),
                _ => Ok(Outcome::new().with("arn", arn).with("code", args.code)),
            }
        }
    }

    /// A module that cannot predict.
    struct Blind;

    impl Module for Blind {
        const NAME: &'static str = "example.house.blind";
        const CHECK_MODE: Support = Support::None;
        type Args = Args;

        async fn run(control: &Control, args: Args) -> Result<Outcome, ModuleError> {
            Lamp::run(control, args).await
        }
    }

    const LAMP: Entry = Entry::of::<Lamp>();

    /// What came of a call, and what was journalled.
    fn call(entry: &Entry, args: serde_json::Value, check: bool) -> (Reply, Vec<ApiChange>, u32) {
        let journal = Arc::new(Mutex::new(Vec::new()));
        let told = Arc::clone(&journal);
        let lent = Lent {
            journal: Some(Arc::new(move |it| told.lock().unwrap().push(it))),
            ..Lent::default()
        };
        let calls = lent.shared.get("calls", || Mutex::new(0_u32));
        let args = args.as_object().unwrap().clone();
        let call = Call { args, check, diff: true, ..Call::default() };
        let spec = entry.spec();
        let mut reply = Reply::new();
        {
            let mut running = pin!(entry.call(&spec, call, lent));
            if let Poll::Ready(it) = running.as_mut().poll(&mut Context::from_waker(Waker::noop()))
            {
                reply = it;
            }
        }
        let journal = journal.lock().unwrap().clone();
        let calls = *calls.lock().unwrap();
        (reply, journal, calls)
    }

    #[test]
    fn a_change_is_made_shown_and_journalled_once() {
        let (reply, journal, calls) = call(&LAMP, json!({"lit": true}), false);
        assert_eq!(
            (calls, &reply["changed"], &reply["arn"]),
            (1, &json!(true), &json!("arn:lamp"))
        );
        let diff = &reply["diff"];
        assert_eq!((diff.as_array().unwrap().len(), &diff[0]["after"]), (1, &json!(true)));
        assert_eq!(journal.len(), 1);
        assert_eq!((journal[0].path.as_str(), journal[0].cut_off), ("arn:lamp", false));
    }

    #[test]
    fn check_mode_calls_nothing_and_predicts() {
        let (reply, journal, calls) = call(&LAMP, json!({"lit": true}), true);
        assert_eq!((calls, journal), (0, Vec::new()));
        assert_eq!((&reply["changed"], &reply["arn"]), (&json!(true), &json!(null)));
        assert_eq!(reply["diff"][0]["before"], false);
        let (reply, ..) = call(&LAMP, json!({"lit": true, "wrong": "unknown"}), true);
        assert_eq!((reply.get("failed"), &reply["predicted"]), (None, &json!(false)));
        let (reply, _, calls) = call(&Entry::of::<Blind>(), json!({"lit": true}), true);
        let text = "remote module (blind) does not support check mode";
        assert_eq!((calls, &reply["skipped"], &reply["msg"]), (0, &json!(true), &json!(text)));
    }

    #[test]
    fn what_was_refused_was_not_changed_and_what_failed_later_was() {
        let (reply, journal, _) = call(&LAMP, json!({"lit": true, "wrong": "refused"}), false);
        assert_eq!((&reply["failed"], &reply["changed"]), (&json!(true), &json!(false)));
        assert!(journal.is_empty() && !reply.contains_key("diff"));
        let (reply, journal, _) = call(&LAMP, json!({"lit": true, "wrong": "late"}), false);
        assert_eq!((&reply["failed"], &reply["changed"]), (&json!(true), &json!(true)));
        assert_eq!((journal.len(), &reply["msg"]), (1, &json!("too late")));
    }

    #[test]
    fn a_change_that_is_cut_off_may_have_been_made() {
        let (reply, journal, calls) = call(&LAMP, json!({"lit": true, "wrong": "for ever"}), false);
        assert!(reply.is_empty());
        assert_eq!((calls, journal.len(), journal[0].cut_off), (1, 1, true));
        assert_eq!(journal[0].path, "lamp");
    }

    #[test]
    fn arguments_are_checked_and_secrets_covered() {
        let (reply, ..) = call(&LAMP, json!({"lit": "maybe", "lti": 1}), false);
        assert!(reply["msg"].as_str().unwrap().contains("lit"), "{reply:?}");
        let (reply, ..) = call(&LAMP, json!({"lit": "yes", "code": "1234-5678"}), false);
        assert!(!serde_json::to_string(&reply).unwrap().contains("1234"), "{reply:?}");
        assert_eq!(reply["invocation"]["module_args"]["lit"], true);
    }
}
