//! The arguments of an operation: those of its model, by the names and in the way of the AWS CLI, and
//! those that the command line has besides. Reads no command line.

use super::{
    custom::{self, Does, Extra},
    error::ArgumentError,
    names,
    renames::{alias, renamed},
};
use crate::model::{Kind, Member, Operation, Service, ShapeId, Store, Tree};

/// An operation as the command line has it, or a waiter.
#[derive(Debug, Clone)]
pub struct Command {
    /// The service.
    pub service: &'static Service,
    /// The operation that is called.
    pub operation: &'static Operation,
    /// The waiter that calls it, by its name in the model, if it is one.
    pub waiter: Option<&'static str>,
    /// `run-instances`, `instance-running`.
    pub name: String,
}

/// An argument of an operation.
#[derive(Debug, Clone)]
pub struct Argument {
    /// Its name without the dashes: `instance-ids`, `no-dry-run`.
    pub name: String,
    /// It must be given, if the parameters do not come as JSON.
    pub required: bool,
    /// It is understood and not shown: old names, and tokens of pages that are fetched without them.
    pub hidden: bool,
    /// What stands behind it.
    pub takes: Takes,
    pub(super) gives: Gives,
}

/// What stands behind an argument.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Takes {
    /// Nothing: it is a flag.
    Nothing,
    /// One word.
    One,
    /// One word or none.
    Maybe,
    /// Any number of words.
    Many,
    /// One word at least.
    Several,
    /// It has no name on the command line: it is a word that stands alone.
    Place,
}

/// What an argument gives.
#[derive(Clone)]
pub(super) enum Gives {
    /// A parameter.
    Member(&'static Member),
    /// A parameter that is this.
    Flag(&'static Member, bool),
    /// A parameter that is `{"Value": this}`, or what stands behind it.
    Wrapped(&'static Member, bool),
    /// A member of a structure that is a parameter.
    Nested(&'static str, &'static Member),
    /// Something else.
    Extra(&'static Extra),
    /// Where pages begin; the operation's own parameter of this name is meant where pages are not
    /// fetched.
    StartingToken(Option<&'static Member>),
    PageSize(Option<&'static Member>),
    MaxItems(Option<&'static Member>),
    InputJson,
    InputYaml,
    Skeleton,
    /// Where the body of the answer goes.
    Outfile,
}

impl std::fmt::Debug for Gives {
    fn fmt(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Member(member) | Self::Flag(member, _) | Self::Wrapped(member, _) => {
                to.write_str(member.name)
            }
            Self::Nested(outer, member) => write!(to, "{outer}.{}", member.name),
            Self::Extra(extra) => to.write_str(extra.name),
            Self::StartingToken(_) => to.write_str("StartingToken"),
            Self::PageSize(_) => to.write_str("PageSize"),
            Self::MaxItems(_) => to.write_str("MaxItems"),
            Self::InputJson => to.write_str("InputJson"),
            Self::InputYaml => to.write_str("InputYaml"),
            Self::Skeleton => to.write_str("Skeleton"),
            Self::Outfile => to.write_str("Outfile"),
        }
    }
}

impl Argument {
    const fn new(name: String, takes: Takes, gives: Gives) -> Self {
        Self { name, required: false, hidden: false, takes, gives }
    }

    /// As it is written: `--instance-ids`, `outfile`.
    #[must_use]
    pub fn written(&self) -> String {
        match self.takes {
            Takes::Place => self.name.clone(),
            _ => format!("--{}", self.name),
        }
    }

    /// The parameter that it gives, if it gives one as the model has it.
    #[must_use]
    pub fn member(&self) -> Option<&'static Member> {
        match &self.gives {
            Gives::Member(member) | Gives::Flag(member, _) | Gives::Wrapped(member, _) => {
                Some(member)
            }
            _ => None,
        }
    }

    /// The shape of what stands behind it, if the model has it.
    pub(super) fn shape(&self) -> Option<ShapeId> {
        match &self.gives {
            Gives::Nested(_, member) => Some(member.shape),
            _ => self.member().map(|it| it.shape),
        }
    }
}

impl Command {
    /// The operation of a service that the command line calls so. Behind `wait` stands the name of a
    /// waiter.
    ///
    /// # Errors
    ///
    /// When there is no such service, operation or waiter.
    pub fn find(
        store: &Store,
        service: &str,
        operation: &str,
        waiter: Option<&str>,
    ) -> Result<Self, ArgumentError> {
        let Some(found) = names::find_service(store, service)? else {
            let known = names::service_commands(store);
            let known = known.iter().map(String::as_str);
            return Err(ArgumentError::unknown("service", service, known, ""));
        };
        let topic = names::service_command(found.name);
        if operation == "wait" && names::find_operation(found, "wait").is_none() {
            return Self::find_waiter(found, waiter);
        }
        let Some(known) = names::find_operation(found, operation) else {
            let known = names::operation_commands(found);
            let known = known.iter().map(|(name, _)| name.as_str());
            return Err(ArgumentError::unknown("operation", operation, known, topic));
        };
        Ok(Self { service: found, operation: known, waiter: None, name: operation.to_owned() })
    }

    fn find_waiter(service: &'static Service, name: Option<&str>) -> Result<Self, ArgumentError> {
        let topic = format!("{} wait", names::service_command(service.name));
        let Some(name) = name else {
            return Err(ArgumentError::Nothing { what: "a waiter", topic });
        };
        let Some((waiter, operation)) = names::find_waiter(service, name) else {
            let known = names::waiter_commands(service);
            let known = known.iter().map(String::as_str);
            return Err(ArgumentError::unknown("waiter", name, known, &topic));
        };
        Ok(Self { service, operation, waiter: Some(waiter), name: name.to_owned() })
    }

    /// The words behind `help`: `ec2 run-instances`, `ec2 wait instance-running`.
    #[must_use]
    pub fn topic(&self) -> String {
        let wait = if self.waiter.is_some() { "wait " } else { "" };
        format!("{} {wait}{}", names::service_command(self.service.name), self.name)
    }

    /// All its arguments. Those of the model stand first, in the model's order.
    #[must_use]
    pub fn arguments(&self) -> Vec<Argument> {
        let mut all = self.of_model();
        if self.waiter.is_none() {
            self.customise(&mut all);
        }
        let streams = self.stream_member().is_some();
        if streams {
            let outfile = Argument::new("outfile".to_owned(), Takes::Place, Gives::Outfile);
            all.push(Argument { required: true, ..outfile });
        }
        if !all.iter().any(|it| it.name == "outfile") {
            all.push(Argument::new("cli-input-json".to_owned(), Takes::One, Gives::InputJson));
            all.push(Argument::new("cli-input-yaml".to_owned(), Takes::One, Gives::InputYaml));
            let name = "generate-cli-skeleton".to_owned();
            all.push(Argument::new(name, Takes::Maybe, Gives::Skeleton));
        }
        if self.waiter.is_none() {
            self.paginate(&mut all);
        }
        all
    }

    /// The member of the answer that goes to a file: its body, or its stream of events for S3's
    /// select.
    #[must_use]
    pub fn stream_member(&self) -> Option<&'static Member> {
        let output = self.service.structure(self.operation.output?)?;
        let member = output.member(output.payload?)?;
        let blob = matches!(self.service.shape(member.shape).kind, Kind::Blob { .. });
        let select = self.service.name == "s3" && self.operation.name == "SelectObjectContent";
        (blob || select).then_some(member)
    }

    /// The parameters that pages are asked for with, and the one that says how many are on a page.
    pub(super) fn paging(&self) -> Option<(Vec<&'static str>, Option<&'static str>)> {
        let all = self.service.paginators();
        let said = all.get(self.operation.name)?;
        let tokens = match said.get("input_token") {
            Some(Tree::Str(name)) => vec![*name],
            Some(list) => list.items().iter().filter_map(Tree::as_str).collect(),
            None => Vec::new(),
        };
        Some((tokens, said.text("limit_key")))
    }

    fn of_model(&self) -> Vec<Argument> {
        let mut all = Vec::new();
        let Some(input) = self.operation.input.and_then(|it| self.service.structure(it)) else {
            return all;
        };
        for member in &input.members {
            let name = names::command_name(member.name);
            let required =
                input.required.contains(&member.name) && !member.traits.idempotency_token;
            match &self.service.shape(member.shape).kind {
                Kind::Boolean => {
                    let no = format!("no-{name}");
                    let flag = Argument::new(name, Takes::Nothing, Gives::Flag(member, true));
                    all.push(Argument { required, ..flag });
                    all.push(Argument::new(no, Takes::Nothing, Gives::Flag(member, false)));
                }
                kind => {
                    let takes =
                        if matches!(kind, Kind::List { .. }) { Takes::Many } else { Takes::One };
                    let argument = Argument::new(name, takes, Gives::Member(member));
                    all.push(Argument { required, ..argument });
                }
            }
        }
        all
    }

    fn customise(&self, all: &mut Vec<Argument>) {
        let service = names::service_command(self.service.name);
        for at in 0..all.len() {
            if let Some(name) = renamed(service, &self.name, &all[at].name) {
                all[at].name = name.to_owned();
            }
            if let Some(name) = alias(service, &self.name, &all[at].name) {
                let twin = Argument {
                    name: name.to_owned(),
                    required: false,
                    hidden: true,
                    ..all[at].clone()
                };
                all.push(twin);
            }
        }
        if self.service.name == "rds" {
            let other = match self.name.as_str() {
                "add-option-to-option-group" => "options-to-remove",
                "remove-option-from-option-group" => "options-to-include",
                _ => "",
            };
            all.retain(|it| it.name != other);
        }
        if self.service.name == "ec2" {
            self.wrap_booleans(all);
        }
        for custom in custom::of(self.service.name, &self.name) {
            all.retain(|it| !custom.removes.contains(&it.name.as_str()));
            for argument in all.iter_mut() {
                argument.hidden |= custom.hides.contains(&argument.name.as_str());
                argument.required &= !custom.optional.contains(&argument.name.as_str());
            }
            all.extend(custom.extras.iter().filter_map(|it| self.extra(it)));
        }
    }

    /// EC2's flags that are structures with nothing but a boolean in them.
    fn wrap_booleans(&self, all: &mut Vec<Argument>) {
        for at in 0..all.len() {
            let Gives::Member(member) = all[at].gives else { continue };
            let Some(structure) = self.service.structure(member.shape) else { continue };
            let [inner] = structure.members.as_slice() else { continue };
            if inner.name != "Value"
                || !matches!(self.service.shape(inner.shape).kind, Kind::Boolean)
            {
                continue;
            }
            let no = format!("no-{}", all[at].name);
            all[at].takes = Takes::Maybe;
            all[at].gives = Gives::Wrapped(member, true);
            all.push(Argument::new(no, Takes::Nothing, Gives::Wrapped(member, false)));
        }
    }

    fn extra(&self, extra: &'static Extra) -> Option<Argument> {
        let gives = match extra.does {
            Does::Nested(outer, inner) => {
                let input = self.service.structure(self.operation.input?)?;
                let within = self.service.structure(input.member(outer)?.shape)?;
                Gives::Nested(input.member(outer)?.name, within.member(inner)?)
            }
            _ => Gives::Extra(extra),
        };
        let argument = Argument::new(extra.name.to_owned(), extra.takes, gives);
        Some(Argument { required: extra.required, ..argument })
    }

    fn paginate(&self, all: &mut Vec<Argument>) {
        let Some((tokens, limit)) = self.paging() else { return };
        for argument in all.iter_mut() {
            let of_pages = argument
                .member()
                .is_some_and(|it| tokens.contains(&it.name) || limit == Some(it.name));
            let start = self.service.name == "kinesis"
                && argument.name == "exclusive-start-stream-name"
                && self.name == "list-streams";
            argument.hidden |= of_pages || start;
        }
        let mut put = |name: &str, gives: fn(Option<&'static Member>) -> Gives| {
            let place = all.iter().position(|it| it.name == name);
            let shadowed = place.and_then(|it| all[it].member());
            let argument = Argument::new(name.to_owned(), Takes::One, gives(shadowed));
            match place {
                Some(place) => all[place] = argument,
                None => all.push(argument),
            }
        };
        put("starting-token", Gives::StartingToken);
        if limit.is_some() {
            put("page-size", Gives::PageSize);
        }
        put("max-items", Gives::MaxItems);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn command(service: &str, operation: &str) -> Command {
        Command::find(&Store::default(), service, operation, None).expect("there")
    }

    fn shown(command: &Command) -> Vec<String> {
        let all = command.arguments();
        all.iter().filter(|it| !it.hidden).map(Argument::written).collect()
    }

    #[test]
    fn arguments_are_those_of_the_model_and_of_the_command_line() {
        assert_eq!(
            shown(&command("lambda", "publish-layer-version")),
            [
                "--layer-name",
                "--description",
                "--content",
                "--compatible-architectures",
                "--compatible-runtimes",
                "--license-info",
                "--zip-file",
                "--cli-input-json",
                "--cli-input-yaml",
                "--generate-cli-skeleton",
            ]
        );
        assert_eq!(shown(&command("s3api", "get-object")).last().expect("one"), "outfile");
        let names = shown(&command("s3api", "list-objects-v2"));
        assert!(names.contains(&"--page-size".to_owned()));
        assert!(!names.contains(&"--continuation-token".to_owned()));
    }

    #[test]
    fn what_is_not_there_is_guessed() {
        let store = Store::default();
        for (service, operation, waiter, message) in [
            ("ec3", "run-instances", None, "there is no service \"ec3\"; did you mean"),
            ("ec2", "run-instance", None, "operation \"run-instance\"; did you mean run-instances"),
            ("ec2", "wait", Some("instance-runing"), "did you mean instance-running"),
            ("ec2", "wait", None, "a waiter is missing"),
        ] {
            let error = Command::find(&store, service, operation, waiter).expect_err("wrong");
            assert!(error.to_string().contains(message), "{error}");
        }
    }
}
