//! The parameters that a call hands to the endpoint rules of its service: from the operation, its input,
//! the settings, in this order. Knows not what rules make of them.

use std::{borrow::Cow, rc::Rc};

use super::{
    AddressingStyle, EndpointError, Settings, address,
    path::{Reached, reach},
    rules::{Parameter, ParameterKind, Rules},
    scope::{Held, Text},
};
use crate::{
    model::{Member, Operation, Service, Tree},
    value::{Map, Value},
};

/// A call whose endpoint is looked for.
#[derive(Clone, Copy)]
pub(super) struct Call<'a> {
    pub(super) service: &'a Service,
    pub(super) operation: &'a Operation,
    pub(super) input: &'a Map,
    pub(super) settings: &'a Settings,
    pub(super) region: Option<&'a str>,
    pub(super) use_fips: bool,
    /// Values by the names of built-ins, in the place of what region and settings say.
    pub(super) built_ins: Option<&'a Map>,
}

impl<'a> Call<'a> {
    /// One value for each parameter of the rules.
    pub(super) fn parameters(&self, rules: &'a Rules) -> Result<Vec<Held<'a>>, EndpointError> {
        let input = self.operation.input.and_then(|it| self.service.structure(it));
        let members = input.map(|it| it.members.as_slice()).unwrap_or_default();
        // Few of many members are parameters: they are looked for once.
        let named: Vec<&Member> =
            members.iter().filter(|it| it.traits.context_param.is_some()).collect();
        rules.parameters.iter().map(|it| self.parameter(it, &named)).collect()
    }

    fn parameter(
        &self,
        parameter: &'a Parameter,
        members: &[&Member],
    ) -> Result<Held<'a>, EndpointError> {
        let mut held = if parameter.used { self.given(parameter, members)? } else { Held::Unset };
        if matches!(held, Held::Unset)
            && let Some(built_in) = parameter.built_in
        {
            held = match self.built_ins {
                Some(given) => given.get(built_in).map_or(Some(Held::Unset), of_value),
                None => Some(self.built_in(built_in)),
            }
            .ok_or_else(|| wrong_kind(parameter))?;
        }
        checked(parameter, held)
    }

    /// What the operation, its input or the settings say.
    fn given(
        &self,
        parameter: &'a Parameter,
        members: &[&Member],
    ) -> Result<Held<'a>, EndpointError> {
        let wrong = || wrong_kind(parameter);
        let name = parameter.name;
        if let Some((_, tree)) = self.operation.static_context.iter().find(|it| it.0 == name) {
            return of_tree(tree).ok_or_else(wrong);
        }
        let member = members.iter().find(|it| it.traits.context_param == Some(name));
        if let Some(member) = member
            && let Some(value) = self.input.get(member.name).filter(|it| **it != Value::Null)
        {
            return of_value(value).ok_or_else(wrong);
        }
        if let Some((_, path)) = self.operation.operation_context.iter().find(|it| it.0 == name) {
            let reason = || format!("the path {path:?} of the parameter {name} is not understood");
            let reached = reach(path, self.input).ok_or_else(|| EndpointError::Rules {
                service: self.service.name,
                reason: reason(),
            })?;
            if let Some(reached) = reached {
                return of_reached(reached).ok_or_else(wrong);
            }
        }
        match self.settings.context.get(name) {
            Some(value) => of_value(value).ok_or_else(wrong),
            // A setting of S3 that is no built-in of the rules.
            None if name == "DisableS3ExpressSessionAuth" => {
                Ok(Held::Bool(self.settings.s3.disable_express_session_auth))
            }
            None => Ok(Held::Unset),
        }
    }

    /// What parameters are set to that name a setting of every client.
    fn built_in(&self, name: &str) -> Held<'a> {
        let settings = self.settings;
        let text = |it: Option<&'a str>| it.map_or(Held::Unset, |it| Held::Text(Cow::Borrowed(it)));
        let s3 = &settings.s3;
        // An address that was given is taken as it is.
        let own = settings.endpoint_url.is_none();
        match name {
            "AWS::Region" => text(self.region),
            "AWS::UseFIPS" => Held::Bool(self.use_fips && own),
            "AWS::UseDualStack" => Held::Bool(own && self.dual_stack()),
            "SDK::Endpoint" => text(settings.endpoint_url.as_deref()),
            "AWS::STS::UseGlobalEndpoint" => Held::Bool(settings.sts_global_endpoint),
            "AWS::S3::UseGlobalEndpoint" => {
                Held::Bool(!s3.us_east_1_regional && self.region == Some("us-east-1"))
            }
            "AWS::S3::Accelerate" => Held::Bool(s3.use_accelerate),
            "AWS::S3::ForcePathStyle" => Held::Bool(self.path_style()),
            "AWS::S3::UseArnRegion" => Held::Bool(s3.use_arn_region.unwrap_or(true)),
            "AWS::S3Control::UseArnRegion" => Held::Bool(s3.use_arn_region.unwrap_or(false)),
            "AWS::S3::DisableMultiRegionAccessPoints" => {
                Held::Bool(s3.disable_multi_region_access_points)
            }
            "AWS::Auth::AccountId" => text(settings.account_id.as_deref()),
            "AWS::Auth::AccountIdEndpointMode" => {
                text(Some(settings.account_id_endpoint_mode.name()))
            }
            _ => Held::Unset,
        }
    }

    fn dual_stack(&self) -> bool {
        let of_s3 = matches!(self.service.metadata.endpoint_prefix, "s3" | "s3-control");
        let own = self.settings.s3.use_dual_stack.filter(|_| of_s3);
        own.unwrap_or(self.settings.use_dual_stack)
    }

    /// Whether the bucket stands in the path. At an address that was given it does unless the setting
    /// says otherwise, since few others than AWS have a host for each bucket.
    fn path_style(&self) -> bool {
        let s3 = &self.settings.s3;
        if self.service.metadata.endpoint_prefix == "s3" {
            if self.operation.name == "GetBucketLocation" {
                return true;
            }
            if self.input.get("Bucket").and_then(Value::as_str).is_some_and(is_arn) {
                return false;
            }
        }
        match &self.settings.endpoint_url {
            _ if s3.use_accelerate => false,
            Some(url) if !is_accelerate(url) => s3.addressing_style != AddressingStyle::Virtual,
            _ => s3.addressing_style == AddressingStyle::Path,
        }
    }
}

/// The parameters of rules by their names, as they are.
pub(super) fn by_name<'a>(
    rules: &'a Rules,
    parameters: &'a Map,
) -> Result<Vec<Held<'a>>, EndpointError> {
    let one = |parameter: &'a Parameter| {
        let held = match parameters.get(parameter.name) {
            Some(value) => of_value(value).ok_or_else(|| wrong_kind(parameter))?,
            None => Held::Unset,
        };
        checked(parameter, held)
    };
    rules.parameters.iter().map(one).collect()
}

/// Takes the default for what is not set, and refuses what is of another type than the parameter.
fn checked<'a>(parameter: &'a Parameter, held: Held<'a>) -> Result<Held<'a>, EndpointError> {
    let held = match (held, &parameter.default) {
        (Held::Unset, Some(default)) => of_tree(default).ok_or_else(|| wrong_kind(parameter))?,
        (held, _) => held,
    };
    match (&held, parameter.kind) {
        (Held::Unset, _) if parameter.required => Err(EndpointError::Parameter {
            name: parameter.name.to_owned(),
            reason: "is needed to tell where the request goes",
        }),
        (Held::Unset, _)
        | (Held::Text(_), ParameterKind::Text)
        | (Held::Bool(_), ParameterKind::Bool)
        | (Held::List(_), ParameterKind::List) => Ok(held),
        _ => Err(wrong_kind(parameter)),
    }
}

fn wrong_kind(parameter: &Parameter) -> EndpointError {
    let reason = match parameter.kind {
        ParameterKind::Text => "must be a string",
        ParameterKind::Bool => "must be a boolean",
        ParameterKind::List => "must be a list of strings",
    };
    EndpointError::Parameter { name: parameter.name.to_owned(), reason }
}

fn of_tree(tree: &Tree) -> Option<Held<'static>> {
    Some(match tree {
        Tree::Null => Held::Unset,
        Tree::Bool(it) => Held::Bool(*it),
        Tree::Str(it) => Held::Text(Cow::Borrowed(it)),
        Tree::List(items) => {
            let items = items.iter().map(|it| it.as_str().map(Cow::Borrowed));
            Held::List(items.collect::<Option<Rc<[Text<'static>]>>>()?)
        }
        _ => return None,
    })
}

fn of_value(value: &Value) -> Option<Held<'_>> {
    Some(match value {
        Value::Null => Held::Unset,
        Value::Bool(it) => Held::Bool(*it),
        Value::String(it) => Held::Text(Cow::Borrowed(it)),
        Value::List(items) => {
            let items = items.iter().map(|it| it.as_str().map(Cow::Borrowed));
            Held::List(items.collect::<Option<Rc<[Text<'_>]>>>()?)
        }
        _ => return None,
    })
}

fn of_reached(reached: Reached<'_>) -> Option<Held<'_>> {
    match reached {
        Reached::Value(value) => of_value(value),
        Reached::Text(text) => Some(Held::Text(Cow::Borrowed(text))),
        Reached::List(items) => {
            let mut texts = Vec::with_capacity(items.len());
            for item in items.into_iter().flatten() {
                if let Some(Held::Text(text)) = of_reached(item) {
                    texts.push(text);
                }
            }
            Some(Held::List(texts.into()))
        }
    }
}

/// Whether text is an ARN, by its form.
pub(super) fn is_arn(text: &str) -> bool {
    text.starts_with("arn:") && text.splitn(6, ':').count() == 6
}

/// Whether an address is that of S3's transfer acceleration: `https://s3-accelerate.amazonaws.com`.
fn is_accelerate(url: &str) -> bool {
    let Ok(split) = address::split(url) else { return false };
    matches!(split.host, "s3-accelerate.amazonaws.com" | "s3-accelerate.dualstack.amazonaws.com")
}
