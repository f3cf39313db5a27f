//! What a command line means for the call: parameters, files, pages. Reads no files itself.
//!
//! Source: the AWS CLI.

use super::{
    super::{
        Skeleton,
        custom::{self, Does},
        error::{ArgumentError, Wanted},
        names,
        table::{Argument, Gives},
        unpack::{self, Inputs, Place},
    },
    BodyFile, Invocation, Parsed, Save,
    line::Said,
};
use crate::{
    model::{Kind, Member},
    value::{Map, Value},
};

/// A call being put together.
pub(super) struct Assembly<'a> {
    pub(super) arguments: &'a [Argument],
    pub(super) said: &'a Said,
    pub(super) inputs: Inputs<'a>,
    pub(super) parsed: Parsed,
    /// All parameters, as JSON or YAML had them.
    pub(super) json: Option<Map>,
}

impl Assembly<'_> {
    pub(super) fn assemble(mut self) -> Result<Invocation, ArgumentError> {
        self.check_required()?;
        self.check_apart()?;
        self.parsed.paging.all = self.fetches_all();
        for (place, argument) in self.arguments.iter().enumerate() {
            if let Some(words) = self.said.last(place).cloned() {
                self.take(argument, words)?;
            }
        }
        for (name, value) in self.json.take().unwrap_or_default() {
            self.parsed.params.entry(name).or_insert(value);
        }
        if self.parsed.skeleton != Some(Skeleton::Input) {
            self.finish()?;
        }
        Ok(Invocation::Call(Box::new(self.parsed)))
    }

    fn topic(&self) -> String {
        self.parsed.command.topic()
    }

    fn place<'a>(&'a self, argument: &'a Argument) -> Place<'a> {
        Place { command: &self.parsed.command, argument: &argument.name, inputs: self.inputs }
    }

    fn check_required(&self) -> Result<(), ArgumentError> {
        let all = ["cli-input-json", "cli-input-yaml"];
        let skeleton = self.arguments.iter().position(|it| it.name == "generate-cli-skeleton");
        let skeleton = skeleton.and_then(|it| self.said.last(it));
        if all.iter().any(|name| self.said.has(self.arguments, name))
            || skeleton.is_some_and(|words| words != &["output"])
        {
            return Ok(());
        }
        let given = |argument: &Argument| match (&argument.gives, argument.member()) {
            (Gives::Outfile, _) => self.parsed.outfile.is_some(),
            (_, Some(member)) => self.said.given.iter().any(|(at, _)| {
                self.arguments[*at].member().is_some_and(|it| std::ptr::eq(it, member))
            }),
            (_, None) => self.said.has(self.arguments, &argument.name),
        };
        let missing: Vec<String> = self
            .arguments
            .iter()
            .filter(|it| it.required && !given(it))
            .map(Argument::written)
            .collect();
        if missing.is_empty() {
            return Ok(());
        }
        Err(ArgumentError::Missing { names: missing, topic: self.topic() })
    }

    fn check_apart(&self) -> Result<(), ArgumentError> {
        let command = &self.parsed.command;
        if command.waiter.is_some() {
            return Ok(());
        }
        for (left, right) in custom::of(command.service.name, &command.name).flat_map(|it| it.apart)
        {
            let given = |names: &[&'static str]| {
                names.iter().copied().find(|name| self.said.has(self.arguments, name))
            };
            if let (Some(argument), Some(other)) = (given(left), given(right)) {
                return Err(self.exclusive(argument, other));
            }
        }
        Ok(())
    }

    fn exclusive(&self, argument: &str, other: &str) -> ArgumentError {
        ArgumentError::Exclusive {
            argument: format!("--{argument}"),
            other: format!("--{other}"),
            topic: self.topic(),
        }
    }

    /// Whether pages are fetched one after the other: not if a page is asked for by the service's own
    /// parameters.
    fn fetches_all(&self) -> bool {
        let command = &self.parsed.command;
        let Some((tokens, limit)) = command.paging() else { return false };
        let by_hand = |argument: &Argument| {
            let member = match argument.gives {
                Gives::StartingToken(it) | Gives::PageSize(it) | Gives::MaxItems(it) => it,
                _ => argument.member(),
            };
            member.is_some_and(|it| {
                (tokens.contains(&it.name) || limit == Some(it.name))
                    && !matches!(names::command_name(it.name).as_str(), "start-token" | "max-items")
                    || command.service.name == "kinesis"
                        && command.operation.name == "ListStreams"
                        && it.name == "ExclusiveStartStreamName"
            })
        };
        command.waiter.is_none()
            && !self.parsed.globals.no_paginate
            && !self.said.given.iter().any(|(at, _)| by_hand(&self.arguments[*at]))
    }

    fn take(&mut self, argument: &Argument, words: Vec<String>) -> Result<(), ArgumentError> {
        match argument.gives {
            Gives::Member(member) => self.take_member(argument, member, words),
            Gives::Flag(member, _) => {
                let same = |gives: &Gives| match gives {
                    Gives::Flag(it, yes) if std::ptr::eq(*it, member) => Some(*yes),
                    _ => None,
                };
                let mut said = self.said.given.iter().rev();
                let yes = said.find_map(|(at, _)| same(&self.arguments[*at].gives));
                self.put(member.name, Value::Bool(yes.unwrap_or(true)));
                Ok(())
            }
            Gives::Wrapped(member, yes) => {
                let no = format!("no-{}", argument.name);
                if yes && self.said.has(self.arguments, &no) {
                    return Err(self.exclusive(&argument.name, &no));
                }
                if words.is_empty() {
                    let value = Map::from_iter([("Value".to_owned(), Value::Bool(yes))]);
                    self.put(member.name, value.into());
                    return Ok(());
                }
                self.take_member(argument, member, words)
            }
            Gives::Nested(outer, member) => {
                let place = self.place(argument);
                let value = place.value(member, place.input(words, false)?)?;
                let into = self.parsed.params.entry(outer.to_owned()).or_default();
                if into.get(member.name).is_some() {
                    return Err(self.exclusive(&argument.name, &names::command_name(outer)));
                }
                match into {
                    Value::Map(map) => drop(map.insert(member.name.to_owned(), value)),
                    other => *other = Map::from_iter([(member.name.to_owned(), value)]).into(),
                }
                Ok(())
            }
            Gives::Extra(extra) => self.take_extra(argument, &extra.does, words),
            Gives::StartingToken(own) | Gives::PageSize(own) | Gives::MaxItems(own) => {
                self.take_paging(argument, own, words)
            }
            Gives::InputJson | Gives::InputYaml => self.take_all(argument, words),
            Gives::Skeleton => {
                self.parsed.skeleton = Some(match words.first().map_or("input", String::as_str) {
                    "input" => Skeleton::Input,
                    "output" => Skeleton::Output,
                    other => {
                        let reason = format!("{other:?} is neither");
                        let wanted = self.parsed.command.wanted(argument);
                        return Err(self.place(argument).wrong(wanted, reason));
                    }
                });
                Ok(())
            }
            Gives::Outfile => Ok(()),
        }
    }

    fn put(&mut self, name: &str, value: Value) {
        self.parsed.params.insert(name.to_owned(), value);
    }

    fn take_member(
        &mut self,
        argument: &Argument,
        member: &'static Member,
        mut words: Vec<String>,
    ) -> Result<(), ArgumentError> {
        let kind = &self.parsed.command.service.shape(member.shape).kind;
        if matches!(kind, Kind::Blob { .. }) && member.traits.streaming {
            let word = words.pop().unwrap_or_default();
            let path = ["fileb://", "file://"].iter().find_map(|it| word.strip_prefix(it));
            let path = path.unwrap_or(&word).to_owned();
            self.parsed.body = Some(BodyFile { member: member.name, path });
            return Ok(());
        }
        let many = matches!(kind, Kind::List { .. });
        let place = self.place(argument);
        let value = place.value(member, place.input(words, many)?)?;
        self.put(member.name, value);
        Ok(())
    }

    fn take_extra(
        &mut self,
        argument: &Argument,
        does: &Does,
        words: Vec<String>,
    ) -> Result<(), ArgumentError> {
        let words = self.place(argument).input(words, true)?.words();
        let word = || words.first().cloned().unwrap_or_default();
        match does {
            Does::Apply(apply) => {
                if let Err(reason) = apply(&mut self.parsed.params, &words) {
                    let wanted = self.parsed.command.wanted(argument);
                    return Err(self.place(argument).wrong(wanted, reason));
                }
            }
            Does::Save(part) => {
                let part = part.split('.').collect();
                self.parsed.saves.push(Save { part, path: word(), conceals: Vec::new() });
            }
            Does::SeedFile => {
                let seed = |form| vec!["VirtualMFADevice", form];
                let conceals = SEEDS.iter().map(|form| seed(form)).collect();
                self.parsed.saves.push(Save { part: seed(SEEDS[0]), path: word(), conceals });
            }
            Does::SeedForm => {
                let Some(form) = SEEDS.iter().find(|it| **it == word()) else {
                    let wanted = self.parsed.command.wanted(argument);
                    let reason = format!("{:?} is neither", word());
                    return Err(self.place(argument).wrong(wanted, reason));
                };
                for save in &mut self.parsed.saves {
                    save.part = vec!["VirtualMFADevice", form];
                }
            }
            Does::Nested(..) => {}
        }
        Ok(())
    }

    /// Options for pages, or the operation's own parameters of these names where pages are not fetched.
    fn take_paging(
        &mut self,
        argument: &Argument,
        own: Option<&'static Member>,
        words: Vec<String>,
    ) -> Result<(), ArgumentError> {
        if !self.parsed.paging.all {
            return match own {
                Some(member) => self.take_member(argument, member, words),
                None => Err(self.exclusive(&argument.name, "no-paginate")),
            };
        }
        let word = self.place(argument).input(words, false)?.words().concat();
        if matches!(argument.gives, Gives::StartingToken(_)) {
            self.parsed.paging.starting_token = Some(word);
            return Ok(());
        }
        let Ok(number) = word.trim().parse::<u64>() else {
            let wanted = self.parsed.command.wanted(argument);
            return Err(self.place(argument).wrong(wanted, format!("{word:?} is none")));
        };
        match argument.gives {
            Gives::PageSize(_) => self.parsed.paging.page_size = Some(number),
            _ => self.parsed.paging.max_items = Some(number),
        }
        Ok(())
    }

    /// All parameters at once.
    fn take_all(&mut self, argument: &Argument, words: Vec<String>) -> Result<(), ArgumentError> {
        if self.json.is_some() {
            return Err(self.exclusive("cli-input-json", "cli-input-yaml"));
        }
        let place = self.place(argument);
        let text = place.input(words, false)?.words().concat();
        let value = match argument.gives {
            Gives::InputYaml => (self.inputs.yaml)(&text).map(Value::from),
            _ => unpack::json(&text),
        };
        let wrong = |reason| place.wrong(self.parsed.command.wanted(argument), reason);
        match value.map_err(wrong)? {
            Value::Map(map) => {
                self.json = Some(map);
                Ok(())
            }
            other => Err(wrong(format!("it is {}", other.kind()))),
        }
    }

    /// What is done when all parameters are there.
    fn finish(&mut self) -> Result<(), ArgumentError> {
        let command = self.parsed.command.clone();
        if let Some(shape) = command.operation.input {
            let mut all = Value::Map(std::mem::take(&mut self.parsed.params));
            unpack::blobs(&command, &mut all, shape, self.parsed.globals.binary).map_err(
                |reason| ArgumentError::Value {
                    argument: "the input".to_owned(),
                    wanted: Wanted { kind: "blobs in base64".to_owned(), example: None },
                    reason,
                    topic: command.topic(),
                },
            )?;
            if let Value::Map(map) = all {
                self.parsed.params = map;
            }
        }
        if command.waiter.is_none() {
            for custom in custom::of(command.service.name, &command.name) {
                let Some(after) = custom.after else { continue };
                after(&mut self.parsed.params).map_err(|refusal| ArgumentError::Value {
                    argument: refusal.argument.to_owned(),
                    wanted: Wanted { kind: "a zip file".to_owned(), example: None },
                    reason: refusal.reason,
                    topic: self.topic(),
                })?;
            }
        }
        self.page_size();
        Ok(())
    }

    /// EC2 gives some lists quickly only in pages.
    fn page_size(&mut self) {
        let command = &self.parsed.command;
        let more: &[&str] = match (command.service.name, command.operation.name) {
            ("ec2", "DescribeVolumes") => &[],
            ("ec2", "DescribeSnapshots") => &["OwnerIds", "RestorableByUserIds"],
            _ => return,
        };
        let fits = |name: &String| {
            more.contains(&name.as_str()) || matches!(name.as_str(), "NextToken" | "DryRun")
        };
        if self.parsed.paging.all && self.parsed.params.keys().all(fits) {
            self.parsed.paging.page_size.get_or_insert(1000);
        }
    }
}

/// The forms of the seed of a virtual MFA device.
const SEEDS: [&str; 2] = ["QRCodePNG", "Base32StringSeed"];
