//! The endpoint rules of a service in the form in which they are looked through: names are numbers,
//! templates are cut into pieces, and what is wrong with the rules has been found. Its text belongs to
//! the model that it was read from. Knows no value of any parameter.

use std::collections::HashMap;

use super::scope::Step;
use crate::model::Tree;

/// The rules of a service.
#[derive(Debug)]
pub(crate) struct Rules {
    /// The first variables, in their order.
    pub(super) parameters: Vec<Parameter>,
    pub(super) rules: Vec<Rule>,
    /// How many variables there are, parameters and others.
    pub(super) variables: usize,
}

/// A parameter.
#[derive(Debug)]
pub(super) struct Parameter {
    pub(super) name: &'static str,
    pub(super) kind: ParameterKind,
    /// What sets it if nothing else does: `AWS::Region`.
    pub(super) built_in: Option<&'static str>,
    pub(super) default: Option<Tree>,
    pub(super) required: bool,
    /// A rule looks at it.
    pub(super) used: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ParameterKind {
    Text,
    Bool,
    List,
}

/// A rule: what it says where its conditions hold.
#[derive(Debug)]
pub(super) struct Rule {
    pub(super) conditions: Vec<Call>,
    pub(super) outcome: Outcome,
}

#[derive(Debug)]
pub(super) enum Outcome {
    /// The first of further rules that says something.
    Rules(Vec<Rule>),
    Endpoint(Box<Target>),
    Error(Expression),
}

/// The call of a function.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) function: Function,
    pub(super) arguments: Vec<Expression>,
    /// The variable that is set to what it gives.
    pub(super) assign: Option<usize>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Function {
    BooleanEquals,
    Coalesce,
    GetAttr(Vec<Step>),
    IfThenElse,
    IsSet,
    IsValidHostLabel,
    IsVirtualHostable,
    Not,
    ParseArn,
    ParseUrl,
    Partition,
    Split,
    StringEquals,
    Substring,
    UriEncode,
}

/// What gives a value.
#[derive(Debug)]
pub(super) enum Expression {
    Bool(bool),
    Int(i64),
    Text(&'static str),
    Variable(usize),
    Template(Vec<Piece>),
    Call(Box<Call>),
}

/// A piece of a template.
#[derive(Debug)]
pub(super) enum Piece {
    Text(&'static str),
    Variable(usize, Vec<Step>),
}

/// Where requests go.
#[derive(Debug)]
pub(super) struct Target {
    pub(super) url: Expression,
    pub(super) headers: Vec<(&'static str, Vec<Expression>)>,
    pub(super) schemes: Vec<SchemeRule>,
    pub(super) properties: Vec<(&'static str, Property)>,
}

/// A way to sign.
#[derive(Debug)]
pub(super) struct SchemeRule {
    pub(super) name: Expression,
    pub(super) signing_name: Option<Expression>,
    pub(super) signing_region: Option<Expression>,
    pub(super) signing_region_set: Option<Vec<Expression>>,
    pub(super) disable_double_encoding: Option<bool>,
}

/// What else is said of an endpoint.
#[derive(Debug)]
pub(super) enum Property {
    Plain(Tree),
    Text(Expression),
    List(Vec<Self>),
    Map(Vec<(&'static str, Self)>),
}

/// How deep rules and expressions may lie in each other.
const DEEPEST: usize = 64;

type Made<T> = Result<T, String>;

impl Rules {
    /// Reads the rules of a model.
    ///
    /// # Errors
    ///
    /// What is wrong with them, in words.
    pub(crate) fn read(tree: &Tree) -> Made<Self> {
        let mut reader = Reader::default();
        let parameters = tree.get("parameters").ok_or("they have no parameters")?;
        let mut parameters = parameters
            .entries()
            .iter()
            .map(|(name, tree)| {
                reader.variable(name);
                parameter(name, tree)
            })
            .collect::<Made<Vec<_>>>()?;
        let rules = reader.rules(tree.get("rules"), 0)?;
        for (parameter, used) in parameters.iter_mut().zip(&reader.used) {
            parameter.used = *used;
        }
        Ok(Self { parameters, rules, variables: reader.used.len() })
    }
}

fn parameter(name: &'static str, tree: &Tree) -> Made<Parameter> {
    let kind = match tree.text("type").unwrap_or_default().to_ascii_lowercase().as_str() {
        "string" => ParameterKind::Text,
        "boolean" => ParameterKind::Bool,
        "stringarray" => ParameterKind::List,
        other => return Err(format!("the parameter {name} is of the unknown type {other:?}")),
    };
    Ok(Parameter {
        name,
        kind,
        built_in: tree.text("builtIn"),
        default: tree.get("default").filter(|it| **it != Tree::Null).cloned(),
        required: tree.flag("required"),
        used: false,
    })
}

#[derive(Default)]
struct Reader {
    numbers: HashMap<&'static str, usize>,
    /// For each variable, whether it is looked at.
    used: Vec<bool>,
}

impl Reader {
    fn variable(&mut self, name: &'static str) -> usize {
        let next = self.used.len();
        let number = *self.numbers.entry(name).or_insert(next);
        if number == next {
            self.used.push(false);
        }
        number
    }

    fn reference(&mut self, name: &'static str) -> usize {
        let number = self.variable(name);
        self.used[number] = true;
        number
    }

    fn rules(&mut self, tree: Option<&Tree>, depth: usize) -> Made<Vec<Rule>> {
        if depth > DEEPEST {
            return Err("they lie too deep in each other".to_owned());
        }
        let Some(Tree::List(rules)) = tree else { return Err("there are no rules".to_owned()) };
        rules.iter().map(|it| self.rule(it, depth)).collect()
    }

    fn rule(&mut self, tree: &Tree, depth: usize) -> Made<Rule> {
        let conditions = tree.get("conditions").map(Tree::items).unwrap_or_default();
        let conditions =
            conditions.iter().map(|it| self.call(it, depth)).collect::<Made<Vec<_>>>()?;
        let outcome = match tree.text("type").unwrap_or_default() {
            "tree" => Outcome::Rules(self.rules(tree.get("rules"), depth + 1)?),
            "endpoint" => {
                let endpoint = tree.get("endpoint").ok_or("a rule has no endpoint")?;
                Outcome::Endpoint(Box::new(self.target(endpoint, depth)?))
            }
            "error" => {
                let error = tree.get("error").ok_or("a rule has no error")?;
                Outcome::Error(self.expression(error, depth)?)
            }
            other => return Err(format!("a rule is of the unknown type {other:?}")),
        };
        Ok(Rule { conditions, outcome })
    }

    fn target(&mut self, tree: &Tree, depth: usize) -> Made<Target> {
        let url = self.expression(tree.get("url").ok_or("an endpoint has no url")?, depth)?;
        let mut headers = Vec::new();
        for (name, values) in tree.get("headers").map(Tree::entries).unwrap_or_default() {
            headers.push((*name, self.expressions(values, depth)?));
        }
        let mut schemes = Vec::new();
        let mut properties = Vec::new();
        for (name, value) in tree.get("properties").map(Tree::entries).unwrap_or_default() {
            if *name == "authSchemes" {
                for scheme in value.items() {
                    schemes.push(self.scheme(scheme, depth)?);
                }
            } else {
                properties.push((*name, self.property(value, depth)?));
            }
        }
        Ok(Target { url, headers, schemes, properties })
    }

    fn scheme(&mut self, tree: &Tree, depth: usize) -> Made<SchemeRule> {
        let mut text = |name: &str| tree.get(name).map(|it| self.expression(it, depth)).transpose();
        let name = text("name")?.ok_or("a way to sign has no name")?;
        let signing_name = text("signingName")?;
        let signing_region = text("signingRegion")?;
        let set = tree.get("signingRegionSet");
        let disable_double_encoding = match tree.get("disableDoubleEncoding") {
            Some(Tree::Bool(it)) => Some(*it),
            _ => None,
        };
        Ok(SchemeRule {
            name,
            signing_name,
            signing_region,
            signing_region_set: set.map(|it| self.expressions(it, depth)).transpose()?,
            disable_double_encoding,
        })
    }

    fn property(&mut self, tree: &Tree, depth: usize) -> Made<Property> {
        if depth > DEEPEST {
            return Err("they lie too deep in each other".to_owned());
        }
        Ok(match tree {
            Tree::Str(_) => Property::Text(self.expression(tree, depth)?),
            Tree::List(items) => Property::List(
                items.iter().map(|it| self.property(it, depth + 1)).collect::<Made<_>>()?,
            ),
            Tree::Map(entries) => Property::Map(
                entries
                    .iter()
                    .map(|(name, it)| Ok((*name, self.property(it, depth + 1)?)))
                    .collect::<Made<_>>()?,
            ),
            other => Property::Plain(other.clone()),
        })
    }

    fn expressions(&mut self, tree: &Tree, depth: usize) -> Made<Vec<Expression>> {
        tree.items().iter().map(|it| self.expression(it, depth)).collect()
    }

    fn expression(&mut self, tree: &Tree, depth: usize) -> Made<Expression> {
        if depth > DEEPEST {
            return Err("they lie too deep in each other".to_owned());
        }
        Ok(match tree {
            Tree::Bool(it) => Expression::Bool(*it),
            Tree::Int(it) => Expression::Int(*it),
            Tree::Str(text) if text.contains(['{', '}']) => self.template(text)?,
            Tree::Str(text) => Expression::Text(text),
            Tree::Map(_) => match tree.text("ref") {
                Some(name) => Expression::Variable(self.reference(name)),
                None => Expression::Call(Box::new(self.call(tree, depth + 1)?)),
            },
            _ => return Err("an argument is neither text, number, boolean nor map".to_owned()),
        })
    }

    fn call(&mut self, tree: &Tree, depth: usize) -> Made<Call> {
        let name = tree.text("fn").ok_or("a condition calls no function")?;
        let given = tree.get("argv").map(Tree::items).unwrap_or_default();
        let (mut function, wanted) = function(name)?;
        if wanted.is_some_and(|wanted| wanted != given.len()) {
            return Err(format!("{name} is called with {} arguments", given.len()));
        }
        let mut arguments = Vec::with_capacity(given.len());
        if let Function::GetAttr(steps) = &mut function {
            let path = given[1].as_str().ok_or("the path of a getAttr is no text")?;
            *steps = path_of(path, '.')?;
            arguments.push(self.expression(&given[0], depth)?);
        } else {
            for it in given {
                arguments.push(self.expression(it, depth)?);
            }
        }
        let assign = tree.text("assign").map(|it| self.variable(it));
        Ok(Call { function, arguments, assign })
    }

    /// Text with variables in it: `https://{Bucket}.{url#authority}`. Doubled braces stand for one.
    fn template(&mut self, text: &'static str) -> Made<Expression> {
        let wrong = || format!("the braces of {text:?} do not match");
        let mut pieces = Vec::new();
        let mut rest = text;
        while let Some(at) = rest.find(['{', '}']) {
            let (plain, behind) = rest.split_at(at);
            let (brace, behind) = behind.split_at(1);
            if let Some(behind) = behind.strip_prefix(brace) {
                pieces.push(Piece::Text(&rest[..=at]));
                rest = behind;
            } else if brace == "}" {
                return Err(wrong());
            } else {
                let (inner, behind) = behind.split_once('}').ok_or_else(wrong)?;
                rest = behind;
                if !plain.is_empty() {
                    pieces.push(Piece::Text(plain));
                }
                let (name, path) = inner.split_once('#').unwrap_or((inner, ""));
                let steps = if path.is_empty() { Vec::new() } else { path_of(path, '#')? };
                pieces.push(Piece::Variable(self.reference(name), steps));
            }
        }
        if !rest.is_empty() {
            pieces.push(Piece::Text(rest));
        }
        Ok(Expression::Template(pieces))
    }
}

/// The function of a name and how many arguments it takes.
fn function(name: &str) -> Made<(Function, Option<usize>)> {
    Ok(match name {
        "aws.isVirtualHostableS3Bucket" => (Function::IsVirtualHostable, Some(2)),
        "aws.parseArn" => (Function::ParseArn, Some(1)),
        "aws.partition" => (Function::Partition, Some(1)),
        "booleanEquals" => (Function::BooleanEquals, Some(2)),
        "coalesce" => (Function::Coalesce, None),
        "getAttr" => (Function::GetAttr(Vec::new()), Some(2)),
        "isSet" => (Function::IsSet, Some(1)),
        "isValidHostLabel" => (Function::IsValidHostLabel, Some(2)),
        "ite" => (Function::IfThenElse, Some(3)),
        "not" => (Function::Not, Some(1)),
        "parseURL" => (Function::ParseUrl, Some(1)),
        "split" => (Function::Split, Some(3)),
        "stringEquals" => (Function::StringEquals, Some(2)),
        "substring" => (Function::Substring, Some(4)),
        "uriEncode" => (Function::UriEncode, Some(1)),
        other => return Err(format!("they call the unknown function {other:?}")),
    })
}

/// `resourceId[0]` as steps.
fn path_of(path: &'static str, between: char) -> Made<Vec<Step>> {
    let mut steps = Vec::new();
    for part in path.split(between) {
        let (name, index) = match part.split_once('[') {
            Some((name, index)) => (name, index.strip_suffix(']').and_then(|it| it.parse().ok())),
            None => (part, Some(usize::MAX)),
        };
        let index = index.ok_or_else(|| format!("{path:?} is no path"))?;
        if !name.is_empty() {
            steps.push(Step::Name(name));
        }
        if index != usize::MAX {
            steps.push(Step::Index(index));
        }
    }
    Ok(steps)
}
