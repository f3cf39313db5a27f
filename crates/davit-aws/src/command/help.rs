//! What there is to call and how, in text of eighty columns. The models have no words of explanation:
//! names, types, choices and syntax are what is said.

use super::{
    error::ArgumentError,
    globals::GLOBALS,
    names,
    render::{Format, Look, render},
    syntax::{self, kind_in_words, shorthand, skeleton, type_name},
    table::{Argument, Command, Gives, Takes},
};
use crate::{
    model::{Kind, Member, Service, ShapeId, Store},
    wait::Waiter,
};

/// How wide help is.
const WIDTH: usize = 80;
/// JSON that is longer is not shown.
const LONGEST_JSON: usize = 24;
/// How deep shapes are shown.
const DEEPEST: usize = 5;

/// Help for nothing (all services), for a service, an operation, or `wait` and a waiter.
///
/// # Errors
///
/// When there is no such service, operation or waiter.
pub fn help(store: &Store, words: &[String]) -> Result<String, ArgumentError> {
    let words: Vec<&str> = words.iter().map(String::as_str).filter(|it| *it != "help").collect();
    let mut page = Page::default();
    match words.as_slice() {
        [] => page.all(store),
        [service] => page.service(find(store, service)?),
        [service, "wait"] => page.waiters(find(store, service)?),
        [service, "wait", waiter, ..] => {
            page.operation(&Command::find(store, service, "wait", Some(waiter))?);
        }
        [service, operation, ..] => {
            page.operation(&Command::find(store, service, operation, None)?);
        }
    }
    Ok(page.text)
}

fn find(store: &Store, name: &str) -> Result<&'static Service, ArgumentError> {
    if let Some(service) = names::find_service(store, name)? {
        return Ok(service);
    }
    let known = names::service_commands(store);
    Err(ArgumentError::unknown("service", name, known.iter().map(String::as_str), ""))
}

#[derive(Default)]
struct Page {
    text: String,
}

impl Page {
    fn line(&mut self, indent: usize, text: &str) {
        if !text.is_empty() {
            self.text.extend(std::iter::repeat_n(' ', indent));
            self.text.push_str(text);
        }
        self.text.push('\n');
    }

    fn heading(&mut self, text: &str) {
        self.line(0, "");
        self.line(0, text);
    }

    /// A text over as many lines as it needs, broken at spaces and behind commas.
    fn wrapped(&mut self, indent: usize, text: &str) {
        let mut line = String::new();
        for part in text.split_inclusive([' ', ',']) {
            if !line.is_empty() && indent + line.len() + part.trim_end().len() > WIDTH {
                self.line(indent, line.trim_end());
                line.clear();
            }
            line.push_str(part);
        }
        self.line(indent, line.trim_end());
    }

    /// Names in columns with a word to each.
    fn pairs<'a>(&mut self, pairs: impl Iterator<Item = (&'a str, &'a str)> + Clone) {
        let width = pairs.clone().map(|(name, _)| name.len()).max().unwrap_or(0).min(36);
        for (name, about) in pairs {
            let line = format!("{name:width$}  {about}");
            self.line(2, line.trim_end());
        }
    }

    fn all(&mut self, store: &Store) {
        self.line(0, "davit aws [options] SERVICE OPERATION [arguments]");
        self.line(0, "davit aws [options] SERVICE wait WAITER [arguments]");
        self.line(0, "davit aws help [SERVICE [OPERATION]]");
        self.heading("OPTIONS, which may stand anywhere");
        let options: Vec<(String, String)> = GLOBALS
            .iter()
            .map(|it| {
                let value = match (it.takes, it.choices) {
                    (Takes::Nothing, _) => String::new(),
                    (_, []) => format!(" <{}>", it.kind),
                    (_, choices) if choices.join("|").len() > 20 => format!(" <{}>", it.kind),
                    (_, choices) => format!(" <{}>", choices.join("|")),
                };
                (it.written() + &value, it.about.to_owned())
            })
            .collect();
        self.pairs(options.iter().map(|(name, about)| (name.as_str(), about.as_str())));
        self.heading("SERVICES");
        let full = |command: &String| {
            let service = names::find_service(store, command).ok().flatten();
            let listed = Store::bundled().find(|it| names::service_command(it.name) == command);
            listed.map(|it| it.full_name).or(service.map(|it| it.metadata.full_name))
        };
        let services: Vec<(String, &str)> = names::service_commands(store)
            .into_iter()
            .map(|it| {
                let about = full(&it).unwrap_or_default();
                (it, about)
            })
            .collect();
        self.pairs(services.iter().map(|(name, about)| (name.as_str(), *about)));
    }

    fn service(&mut self, service: &'static Service) {
        let command = names::service_command(service.name);
        let metadata = &service.metadata;
        self.line(0, &format!("davit aws {command} OPERATION [arguments]"));
        self.line(0, &format!("    {}, version {}", metadata.full_name, metadata.api_version));
        self.heading("OPERATIONS");
        for (name, _) in names::operation_commands(service) {
            self.line(2, &name);
        }
        let waiters = names::waiter_commands(service);
        if !waiters.is_empty() {
            self.heading("WAITERS (wait WAITER)");
            waiters.iter().for_each(|it| self.line(2, it));
        }
    }

    fn waiters(&mut self, service: &'static Service) {
        let command = names::service_command(service.name);
        self.line(0, &format!("davit aws {command} wait WAITER [arguments]"));
        self.heading("WAITERS");
        let waiters: Vec<(String, String)> = names::waiter_commands(service)
            .into_iter()
            .filter_map(|it| {
                let (_, operation) = names::find_waiter(service, &it)?;
                Some((it, format!("calls {}", names::operation_name(operation.name))))
            })
            .collect();
        self.pairs(waiters.iter().map(|(name, about)| (name.as_str(), about.as_str())));
    }

    fn operation(&mut self, command: &Command) {
        let service = command.service;
        let arguments = command.arguments();
        let shown: Vec<(&Argument, String)> = arguments
            .iter()
            .filter(|it| !it.hidden && !is_no(it))
            .map(|it| (it, synopsis(command, it, &arguments)))
            .collect();
        self.line(0, &format!("davit aws {} [arguments]", command.topic()));
        let full = service.metadata.full_name;
        self.line(4, &format!("calls {} of {full}", command.operation.name));
        self.waiting(command);
        self.heading("SYNOPSIS");
        self.line(2, &format!("davit aws {}", command.topic()));
        for (argument, text) in &shown {
            let text = if argument.required { text.clone() } else { format!("[{text}]") };
            self.line(6, &text);
        }
        self.heading("ARGUMENTS");
        for (argument, text) in shown {
            self.line(2, &if argument.required { text + "  (required)" } else { text });
            self.argument(command, argument);
        }
        if command.waiter.is_none() {
            self.output(command);
        }
        let waiters: Vec<String> = names::waiter_commands(service)
            .into_iter()
            .filter(|it| {
                names::find_waiter(service, it)
                    .is_some_and(|(_, operation)| operation.name == command.operation.name)
            })
            .collect();
        if command.waiter.is_none() && !waiters.is_empty() {
            self.heading("WAITERS that call it");
            waiters.iter().for_each(|it| self.line(2, &format!("wait {it}")));
        }
    }

    fn waiting(&mut self, command: &Command) {
        let Some(name) = command.waiter else { return };
        let Ok(Some(waiter)) = Waiter::of(command.service, name) else { return };
        let seconds = waiter.delay.as_secs();
        self.line(4, &format!("every {seconds} seconds, {} times at most", waiter.most));
    }

    fn argument(&mut self, command: &Command, argument: &Argument) {
        let wanted = command.wanted(argument);
        let service = command.service;
        if matches!(argument.gives, Gives::Skeleton | Gives::Wrapped(..)) {
            return;
        }
        if let Some(shape) = argument.shape()
            && syntax::is_complex(service, shape)
        {
            self.wrapped(6, &wanted.kind);
            self.members(service, shape, 8, &mut Vec::new());
            if let Some(example) = shorthand(service, shape) {
                self.line(6, "shorthand:");
                self.wrapped(10, &example);
            }
            self.json(service, shape);
        } else if argument.takes != Takes::Nothing {
            self.choices(service, argument.member(), &wanted.kind);
        }
    }

    /// What a member may be, all of it however long; nothing where its type says it all.
    fn choices(&mut self, service: &Service, member: Option<&Member>, kind: &str) {
        match member.map(|it| &service.shape(it.shape).kind) {
            Some(Kind::String { choices, .. }) if !choices.is_empty() => {
                self.wrapped(6, &format!("one of {}", choices.join(", ")));
            }
            _ if matches!(kind, "a string" | "a whole number" | "a number") => {}
            _ => self.wrapped(6, kind),
        }
    }

    fn json(&mut self, service: &'static Service, shape: ShapeId) {
        let look = Look::default();
        let json = render(&skeleton(service, Some(shape), false), Format::Json, look);
        if json.lines().count() > LONGEST_JSON {
            return;
        }
        self.line(6, "JSON:");
        for line in json.lines() {
            self.line(10, line);
        }
    }

    fn output(&mut self, command: &Command) {
        self.heading("OUTPUT");
        let service = command.service;
        match command.operation.output {
            Some(shape) if service.structure(shape).is_some_and(|it| !it.members.is_empty()) => {
                self.members(service, shape, 2, &mut Vec::new());
            }
            _ => self.line(2, "nothing"),
        }
        if let Some(member) = command.stream_member() {
            self.line(2, &format!("{} is written to outfile", member.name));
        }
        if let Some((_, limit)) = command.paging() {
            self.heading("PAGES");
            self.wrapped(
                2,
                "The answer comes in pages, which are all fetched. --no-paginate fetches one; \
                 --max-items shows no more than so many, and --starting-token goes on from there.",
            );
            if limit.is_some() {
                self.wrapped(2, "--page-size says how many are on a page.");
            }
        }
    }

    /// The members of a shape, and theirs.
    fn members(
        &mut self,
        service: &'static Service,
        shape: ShapeId,
        indent: usize,
        stack: &mut Vec<ShapeId>,
    ) {
        if stack.contains(&shape) || stack.len() >= DEEPEST {
            return;
        }
        stack.push(shape);
        match &service.shape(shape).kind {
            Kind::Structure(structure) => {
                for member in &structure.members {
                    let required = structure.required.contains(&member.name);
                    let mut text = format!("{} -> {}", member.name, described(service, member));
                    if required {
                        text.push_str(", required");
                    }
                    self.wrapped(indent, &text);
                    self.members(service, member.shape, indent + 2, stack);
                }
            }
            Kind::List { member, .. } => self.members(service, member.shape, indent, stack),
            Kind::Map { value, .. } => self.members(service, value.shape, indent, stack),
            _ => {}
        }
        stack.pop();
    }
}

/// A member's type, with its choices.
fn described(service: &Service, member: &Member) -> String {
    let kind = &service.shape(member.shape).kind;
    match kind {
        Kind::String { choices, .. } if !choices.is_empty() => {
            format!("string: {}", choices.join(", "))
        }
        Kind::List { .. } => kind_in_words(service, member),
        Kind::Map { value, .. } => {
            format!("map of {}", type_name(&service.shape(value.shape).kind))
        }
        kind => type_name(kind).to_owned(),
    }
}

/// Whether it is a flag's other side, which stands beside it.
const fn is_no(argument: &Argument) -> bool {
    matches!(argument.gives, Gives::Flag(_, false) | Gives::Wrapped(_, false))
}

fn synopsis(command: &Command, argument: &Argument, all: &[Argument]) -> String {
    let name = argument.written();
    let no = || {
        let same = |it: &&Argument| {
            is_no(it) && it.member().map(|it| it.name) == argument.member().map(|it| it.name)
        };
        all.iter().find(same).map_or_else(String::new, |it| format!(" | {}", it.written()))
    };
    match (&argument.gives, argument.shape()) {
        (Gives::Flag(..) | Gives::Wrapped(..), _) => name + &no(),
        _ if argument.takes == Takes::Nothing => name,
        _ if argument.takes == Takes::Place => format!("<{name}>"),
        (Gives::Skeleton, _) => format!("{name} [input|output]"),
        (_, Some(shape)) => format!("{name} <{}>", type_name(&command.service.shape(shape).kind)),
        (_, None) => format!("{name} <value>"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(words: &[&str]) -> String {
        let words: Vec<String> = words.iter().map(|it| (*it).to_owned()).collect();
        help(&Store::default(), &words).expect("there")
    }

    #[test]
    fn help_says_what_there_is() {
        assert!(page(&[]).contains("\n  secretsmanager"));
        let service = page(&["ec2"]);
        assert!(
            service.contains("\n  run-instances\n") && service.contains("\n  instance-running")
        );
        let operation = page(&["ec2", "describe-volumes"]);
        for part in [
            "      [--filters <list>]\n",
            "  --dry-run | --no-dry-run\n",
            "          Name=string,Values=string,string ...\n",
            "Volumes -> a list of structures\n",
            "PAGES\n",
            "  wait volume-available\n",
            "                  \"Name\": \"\",\n",
        ] {
            assert!(operation.contains(part), "{part:?} in\n{operation}");
        }
        assert!(page(&["ec2", "wait", "volume-available"]).contains("every 15 seconds, 40 times"));
    }

    #[test]
    fn help_is_not_wider_than_a_terminal() {
        for words in
            [["ec2", "run-instances"], ["s3api", "put-object"], ["wafv2", "create-web-acl"]]
        {
            for line in page(&words).lines() {
                // A single word that is longer cannot be broken.
                assert!(line.len() <= WIDTH || !line.trim().contains(' '), "{line}");
            }
        }
    }

    #[test]
    fn every_operation_has_help() {
        let store = Store::default();
        for service in ["s3api", "dynamodb", "wafv2", "lambda"] {
            let found = find(&store, service).expect("there");
            for (name, _) in names::operation_commands(found) {
                let words = [service.to_owned(), name];
                assert!(help(&store, &words).expect("there").len() > 200, "{words:?}");
            }
        }
    }
}
