//! What variables of endpoint rules hold while they are looked through. Knows no rule.

use std::{borrow::Cow, rc::Rc};

use super::partition::Partition;

/// Text of a parameter or a rule; new text only where something was put together.
pub(super) type Text<'a> = Cow<'a, str>;

/// What a variable holds.
#[derive(Debug, Clone, Default)]
pub(super) enum Held<'a> {
    #[default]
    Unset,
    Bool(bool),
    Int(i64),
    Text(Text<'a>),
    List(Rc<[Text<'a>]>),
    Partition(&'static Partition),
    Url(Rc<Url<'a>>),
    Arn(Rc<Arn<'a>>),
}

/// What `parseURL` gives.
#[derive(Debug)]
pub(super) struct Url<'a> {
    pub(super) scheme: &'static str,
    pub(super) authority: Text<'a>,
    pub(super) path: Text<'a>,
    pub(super) normalized_path: String,
    pub(super) is_ip: bool,
}

/// What `aws.parseArn` gives.
#[derive(Debug)]
pub(super) struct Arn<'a> {
    pub(super) partition: Text<'a>,
    pub(super) service: Text<'a>,
    pub(super) region: Text<'a>,
    pub(super) account_id: Text<'a>,
    pub(super) resource_id: Rc<[Text<'a>]>,
}

/// One step into what a variable holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    Name(&'static str),
    Index(usize),
}

impl<'a> Held<'a> {
    /// What a step leads to; nothing if there is no such thing at all. A place behind a list's end holds
    /// `Unset`.
    pub(super) fn step(&self, step: Step) -> Option<Self> {
        let text = |it: &Text<'a>| Some(Self::Text(it.clone()));
        let known = |it: &'static str| Some(Self::Text(Cow::Borrowed(it)));
        match (self, step) {
            (Self::List(items), Step::Index(at)) => {
                Some(items.get(at).map_or(Self::Unset, |it| Self::Text(it.clone())))
            }
            (Self::Partition(it), Step::Name(name)) => match name {
                "name" => known(it.name),
                "dnsSuffix" => known(it.dns_suffix),
                "dualStackDnsSuffix" => known(it.dual_stack_dns_suffix),
                "implicitGlobalRegion" => known(it.implicit_global_region),
                "supportsFIPS" => Some(Self::Bool(it.supports_fips)),
                "supportsDualStack" => Some(Self::Bool(it.supports_dual_stack)),
                _ => None,
            },
            (Self::Url(it), Step::Name(name)) => match name {
                "scheme" => known(it.scheme),
                "authority" => text(&it.authority),
                "path" => text(&it.path),
                "normalizedPath" => Some(Self::Text(Cow::Owned(it.normalized_path.clone()))),
                "isIp" => Some(Self::Bool(it.is_ip)),
                _ => None,
            },
            (Self::Arn(it), Step::Name(name)) => match name {
                "partition" => text(&it.partition),
                "service" => text(&it.service),
                "region" => text(&it.region),
                "accountId" => text(&it.account_id),
                "resourceId" => Some(Self::List(it.resource_id.clone())),
                _ => None,
            },
            _ => None,
        }
    }

    /// Whether a condition that gives this holds.
    pub(super) const fn holds(&self) -> bool {
        !matches!(self, Self::Unset | Self::Bool(false))
    }

    /// Whether `not` gives false for it.
    pub(super) fn is_true(&self) -> bool {
        match self {
            Self::Unset => false,
            Self::Bool(it) => *it,
            Self::Int(it) => *it != 0,
            Self::Text(it) => !it.is_empty(),
            Self::List(it) => !it.is_empty(),
            Self::Partition(_) | Self::Url(_) | Self::Arn(_) => true,
        }
    }
}

/// Part of a text, which is not copied where the text is not one's own.
pub(super) fn part<'a>(text: &Text<'a>, from: usize, to: usize) -> Text<'a> {
    match text {
        Cow::Borrowed(text) => Cow::Borrowed(&text[from..to]),
        Cow::Owned(text) => Cow::Owned(text[from..to].to_owned()),
    }
}
