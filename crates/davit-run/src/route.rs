//! The way to the host of a task: which connection, and as which user.
//!
//! Variables stand above the task's keywords, which stand above the command line and the
//! configuration. Of several variables for one thing, the special one (`ansible_sudo_user`) stands
//! above the general one (`ansible_become_user`). What a transport makes of the rest it asks for
//! itself.

use std::cell::RefCell;
use std::sync::Arc;

use davit_event::Way;
use davit_template::Env;
use davit_value::{Map, Value};

use crate::action::Outcome;
use crate::connection::{Become, Connection, Wanted};
use crate::context::TaskContext;
use crate::failure::{cause, task_failed, template_cause};
use crate::keyword::{Keyword, to_flag};
use crate::scope::{TaskScope, is_omit};
use crate::state::read;
use crate::world::{World, is_local_name};

/// How `become` is done where nobody says.
const USUAL_METHOD: &str = "sudo";

/// Variables whose values are nobody's business.
const SECRETS: &[&str] = &[
    "ansible_password",
    "ansible_ssh_pass",
    "ansible_ssh_password",
    "ansible_private_key",
    "ansible_ssh_private_key",
    "ansible_private_key_passphrase",
    "ansible_ssh_private_key_passphrase",
];

/// The connection that a task asks for.
pub(crate) fn connect(context: &TaskContext) -> Result<Arc<dyn Connection>, Outcome> {
    let scope = scope_of(context);
    let ask = Asking::new(context, &scope);
    let name = ask.connection()?;
    let privileges = ask.privileges(&name)?;
    let keywords = ask.keywords()?;
    let world = &context.world;
    let way = world.connections.to(&Wanted {
        host: context.target(),
        connection: &name,
        privileges,
        variable: &|name| ask.variable(name),
        keywords: &keywords,
    });
    way.map_err(|why| {
        // What is wrong with a template is better told with its place.
        ask.failure.take().unwrap_or_else(|| refused(context, &why))
    })
}

/// How a task reaches its host, in as many words as another task needs to do the same.
pub(crate) fn way(context: &TaskContext) -> Way {
    let scope = scope_of(context);
    let ask = Asking::new(context, &scope);
    let connection = ask.connection().unwrap_or_default();
    let privileges = ask.privileges(&connection).ok().flatten();
    let remote_user = ask.first(&["ansible_user", "ansible_ssh_user"]).ok().flatten();
    let remote_user = remote_user.or_else(|| ask.keyword().text("remote_user").ok().flatten());
    let (become_user, become_method) = match privileges {
        Some(it) => (Some(it.user), Some(it.method)),
        None => (None, None),
    };
    let is_usual = connection == context.world.settings.connection;
    Way {
        connection: if is_usual { String::new() } else { connection },
        remote_user,
        become_user,
        become_method,
    }
}

/// A task that cannot be tried: its host has no such way.
fn refused(context: &TaskContext, why: &str) -> Outcome {
    let text = format!("Task failed: {why}");
    let mut outcome = Outcome::failed(text.as_str());
    outcome.causes = vec![cause(text, Some(context.origin()))];
    outcome
}

/// The variables that say how the host is reached: of a task that is delegated, those of the host
/// that it goes to.
fn scope_of(context: &TaskContext) -> std::borrow::Cow<'_, TaskScope> {
    let Some(target) = &context.delegated else {
        return std::borrow::Cow::Borrowed(&context.scope);
    };
    let mut theirs =
        TaskScope::new(&context.world, Some(&context.play), Some(target), Some(&context.task));
    let kept = |name: &str| {
        !matches!(name, "ansible_connection" | "ansible_host" | "ansible_delegated_vars")
    };
    let own = context.scope.locals.iter();
    theirs.locals = own
        .filter(|(key, _)| key.as_str().is_none_or(kept))
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect::<Map>();
    std::borrow::Cow::Owned(theirs)
}

/// Reads what a task says of its connection.
struct Asking<'a> {
    context: &'a TaskContext,
    scope: &'a TaskScope,
    /// What was wrong with a variable that a transport asked for.
    failure: RefCell<Option<Outcome>>,
}

impl<'a> Asking<'a> {
    fn new(context: &'a TaskContext, scope: &'a TaskScope) -> Self {
        Self { context, scope, failure: RefCell::default() }
    }

    fn world(&self) -> &'a World {
        &self.context.world
    }

    fn keyword(&self) -> Keyword<'a> {
        Keyword {
            task: &self.context.task,
            scope: &self.context.scope,
            outside: &self.context.outside,
        }
    }

    /// A variable, rendered; `None` where nobody set it, or where it is `omit`.
    fn value(&self, name: &str) -> Result<Option<Value>, Outcome> {
        let Some(raw) = self.scope.written(name) else { return Ok(None) };
        if !raw.is_live() {
            return Ok((!raw.is_null() && !is_omit(&raw)).then_some(raw));
        }
        match Env::new(&self.world().engine, self.scope, &self.context.outside).resolve(&raw) {
            Ok(value) => Ok((!value.is_null() && !is_omit(&value)).then_some(value)),
            Err(error) => {
                let lead = format!("Error processing keyword '{}': ", keyword_of(name));
                let why = template_cause(&lead, &error, raw.origin());
                Err(task_failed(self.context.origin(), vec![why]))
            }
        }
    }

    /// A variable, as a transport asks for it.
    fn variable(&self, name: &str) -> Result<Option<Value>, String> {
        let found = self.value(name).and_then(|value| self.checked(name, value));
        found.map_err(|outcome| {
            let said = outcome.result.get("msg").map(Value::to_str).unwrap_or_default();
            self.failure.replace(Some(outcome));
            said
        })
    }

    /// Covers what is secret, and refuses a port that is none.
    fn checked(&self, name: &str, value: Option<Value>) -> Result<Option<Value>, Outcome> {
        let Some(value) = value else { return Ok(None) };
        if SECRETS.contains(&name) {
            self.world().mask.add(&value.to_str());
        }
        if matches!(name, "ansible_port" | "ansible_ssh_port")
            && value.to_str().trim().parse::<u16>().is_err()
        {
            return Err(self.wrong(name, &value, "int"));
        }
        Ok(Some(value))
    }

    fn wrong(&self, name: &str, value: &Value, kind: &str) -> Outcome {
        let text = format!(
            "Error processing keyword '{}': The value {} could not be converted to '{kind}'.",
            keyword_of(name),
            value.repr()
        );
        task_failed(self.context.origin(), vec![cause(text, value.origin())])
    }

    /// The last of these variables that is set, as a text.
    fn first(&self, names: &[&str]) -> Result<Option<String>, Outcome> {
        for name in names.iter().rev() {
            if let Some(value) = self.value(name)? {
                return Ok(Some(value.to_str()));
            }
        }
        Ok(None)
    }

    /// The name of the connection: its last part.
    fn connection(&self) -> Result<String, Outcome> {
        let target = self.context.target();
        let settings = &self.world().settings;
        let name = match self.value("ansible_connection")? {
            Some(name) => name.to_str(),
            None if self.is_this_machine(target) => "local".to_owned(),
            // A host that nobody knows is reached as the task's own host is.
            None if self.context.delegated.is_some() && self.is_stranger(target) => {
                let scope = &self.context.scope;
                match scope.written("ansible_connection").map(|_| scope.value("ansible_connection"))
                {
                    Some(Ok(Some(name))) => name.to_str(),
                    Some(Err(error)) => return Err(Outcome::failed(error.to_string())),
                    _ => settings.connection.clone(),
                }
            }
            None => {
                self.keyword().text("connection")?.unwrap_or_else(|| settings.connection.clone())
            }
        };
        let short = name.rsplit('.').next().unwrap_or(&name);
        Ok(if short == "smart" { "ssh".to_owned() } else { short.to_owned() })
    }

    fn is_stranger(&self, host: &str) -> bool {
        read(&self.world().inventory).host(host).is_none()
    }

    /// True for the implicit host of this machine; one that the inventory names is as any other.
    fn is_this_machine(&self, host: &str) -> bool {
        is_local_name(host)
            && read(&self.world().inventory).host(host).is_none_or(|it| it.is_implicit())
    }

    /// What the task's keywords say that transports ask for as well.
    fn keywords(&self) -> Result<Vec<(&'static str, String)>, Outcome> {
        let mut all = Vec::new();
        for name in ["port", "remote_user"] {
            if let Some(value) = self.keyword().value(name)? {
                if name == "port" && value.to_str().trim().parse::<u16>().is_err() {
                    return Err(self.wrong("ansible_port", &value, "int"));
                }
                all.push((name, value.to_str()));
            }
        }
        Ok(all)
    }

    /// `become`, where it is on and leads to somebody else.
    fn privileges(&self, connection: &str) -> Result<Option<Become>, Outcome> {
        let settings = &self.world().settings;
        if self.context.plain || !self.becomes()? {
            return Ok(None);
        }
        let named = match self.first(&["ansible_become_method"])? {
            Some(method) => Some(method),
            None => self.keyword().text("become_method")?,
        };
        let usual = || settings.become_defaults.get("become_method").cloned();
        let method = named.or_else(usual).filter(|it| !it.is_empty());
        let method = method.as_deref().unwrap_or(USUAL_METHOD);
        let method = method.rsplit('.').next().unwrap_or(method);
        let user = self.of_become(method, "user")?.filter(|it| !it.is_empty());
        let user = user.unwrap_or_else(|| "root".to_owned());
        if connection == "local" && user == settings.user {
            return Ok(None);
        }
        Ok(Some(Become {
            exe: self.of_become(method, "exe")?.filter(|it| !it.is_empty()),
            flags: self.of_become(method, "flags")?,
            password: self.password(method)?,
            method: method.to_owned(),
            user,
        }))
    }

    fn becomes(&self) -> Result<bool, Outcome> {
        if let Some(value) = self.value("ansible_become")? {
            return to_flag(&value).ok_or_else(|| self.wrong("ansible_become", &value, "bool"));
        }
        let settings = &self.world().settings;
        Ok(match self.keyword().flag("become")? {
            Some(on) => on,
            None => settings.become_defaults.get("become").is_some_and(|it| it == "true"),
        })
    }

    /// `become_user` and its like: variables, keyword, then what the method's own settings and the
    /// general ones say.
    fn of_become(&self, method: &str, what: &str) -> Result<Option<String>, Outcome> {
        let general = format!("ansible_become_{what}");
        let special = format!("ansible_{method}_{what}");
        if let Some(text) = self.first(&[&general, &special])? {
            return Ok(Some(text));
        }
        let keyword = format!("become_{what}");
        if let Some(text) = self.keyword().text(&keyword)? {
            return Ok(Some(text));
        }
        let defaults = &self.world().settings.become_defaults;
        let found = defaults.get(&format!("{method}_{what}")).or_else(|| defaults.get(&keyword));
        Ok(found.cloned())
    }

    fn password(&self, method: &str) -> Result<Option<String>, Outcome> {
        let special = format!("ansible_{method}_pass");
        let named = self.first(&["ansible_become_password", "ansible_become_pass", &special])?;
        let settings = &self.world().settings;
        let password =
            named.or_else(|| settings.become_password.as_ref().map(|it| it.text().to_owned()));
        if let Some(password) = &password {
            self.world().mask.add(password);
        }
        Ok(password)
    }
}

/// What the original calls a variable's setting in messages.
fn keyword_of(variable: &str) -> &str {
    match variable {
        "ansible_host" | "ansible_ssh_host" => "remote_addr",
        "ansible_user" | "ansible_ssh_user" => "remote_user",
        "ansible_port" | "ansible_ssh_port" => "port",
        "ansible_password" | "ansible_ssh_pass" | "ansible_ssh_password" => "password",
        "ansible_private_key_file" | "ansible_ssh_private_key_file" => "private_key_file",
        other => other.strip_prefix("ansible_").unwrap_or(other),
    }
}
