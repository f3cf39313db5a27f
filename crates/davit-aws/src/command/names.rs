//! What the command line calls services, operations, waiters and parameters, and which is the nearest
//! name to one that is none. Knows no arguments.
//!
//! Source: botocore's `xform_name` and the AWS CLI's renamings.

use crate::{
    model::{ModelError, Operation, Service, Store, Tree},
    wait::Waiter,
};

/// Names of operations that are spelt in their own way: brands are one word.
const BRANDS: &[(&str, &str)] = &[
    ("WhatsApp", "Whatsapp"),
    ("OAuth2Token", "Oauth2Token"),
    ("PartiQL", "Partiql"),
    ("OTelEnrichment", "OtelEnrichment"),
    ("CachediSCSI", "CachedIscsi"),
    ("StorediSCSI", "StoredIscsi"),
    ("ListHITsFor", "ListHitsFor"),
];

/// Operations with a brand in their name that are spelt like all others.
const NO_BRANDS: &[&str] = &["CreateOAuth2TokenWithTokenExchange"];

/// Services that have another name on the command line.
const SERVICES: &[(&str, &str)] =
    &[("s3", "s3api"), ("codedeploy", "deploy"), ("config", "configservice")];

/// Other names of services, which are not shown.
const SERVICE_ALIASES: &[(&str, &str)] = &[("runtime.sagemaker", "sagemaker-runtime")];

/// Other names of operations: the service, the name, the operation, and whether it is shown.
const OPERATION_ALIASES: &[(&str, &str, &str, bool)] = &[
    ("rds", "add-option-to-option-group", "ModifyOptionGroup", true),
    ("rds", "remove-option-from-option-group", "ModifyOptionGroup", true),
    ("mturk", "list-hi-ts-for-qualification-type", "ListHITsForQualificationType", false),
    ("signin", "create-o-auth2-token", "CreateOAuth2Token", false),
    ("socialmessaging", "delete-whatsapp-media-message", "DeleteWhatsAppMessageMedia", false),
    ("cloudwatch", "get-o-tel-enrichment", "GetOTelEnrichment", false),
    ("cloudwatch", "start-o-tel-enrichment", "StartOTelEnrichment", false),
    ("cloudwatch", "stop-o-tel-enrichment", "StopOTelEnrichment", false),
];

/// A name of a model as the command line has it: `DescribeDBInstances` is `describe-db-instances`.
///
/// ```
/// use davit_aws::command::command_name;
///
/// assert_eq!(command_name("DescribeDBInstances"), "describe-db-instances");
/// assert_eq!(command_name("ListWebACLs"), "list-web-acls");
/// ```
#[must_use]
pub fn command_name(name: &str) -> String {
    if name.contains('-') {
        return name.to_owned();
    }
    let (head, plural) = name.split_at(plural_at(name));
    let mut words = split_capitals(&join_words(head));
    if !plural.is_empty() {
        words.push('-');
        words.push_str(plural);
    }
    words.to_lowercase()
}

/// An operation's name as the command line has it.
#[must_use]
pub fn operation_name(name: &str) -> String {
    let brand = BRANDS.iter().find(|(brand, _)| name.contains(brand));
    match brand.filter(|_| !NO_BRANDS.contains(&name)) {
        Some((brand, word)) => command_name(&name.replace(brand, word)),
        None => command_name(name),
    }
}

/// Where a plural of capitals begins that the name ends in: `ARNs`, `ACLs`.
fn plural_at(name: &str) -> usize {
    let Some(head) = name.strip_suffix('s') else { return name.len() };
    let start = head.trim_end_matches(|it: char| it.is_ascii_uppercase()).len();
    if head.len() - start >= 2 { start } else { name.len() }
}

/// Puts a dash before each capital that small letters follow.
fn join_words(name: &str) -> String {
    let chars: Vec<char> = name.chars().collect();
    let small = |at: usize| chars.get(at).is_some_and(char::is_ascii_lowercase);
    let mut out = String::with_capacity(name.len() + 8);
    let mut at = 0;
    while at < chars.len() {
        out.push(chars[at]);
        at += 1;
        if chars.get(at).is_some_and(char::is_ascii_uppercase) && small(at + 1) {
            out.push('-');
            out.push(chars[at]);
            at += 1;
            while small(at) {
                out.push(chars[at]);
                at += 1;
            }
        }
    }
    out
}

/// Puts a dash between a small letter or digit and a capital.
fn split_capitals(name: &str) -> String {
    let mut out = String::with_capacity(name.len() + 8);
    let mut before = ' ';
    for it in name.chars() {
        if it.is_ascii_uppercase() && (before.is_ascii_lowercase() || before.is_ascii_digit()) {
            out.push('-');
        }
        out.push(it);
        before = it;
    }
    out
}

/// What the command line calls a service: `s3api` for `s3`.
#[must_use]
pub fn service_command(name: &str) -> &str {
    SERVICES.iter().find(|(model, _)| *model == name).map_or(name, |(_, command)| command)
}

/// The service that the command line calls so, by its own name too (`codedeploy` for `deploy`).
///
/// # Errors
///
/// When its model is there and cannot be read.
pub fn find_service(store: &Store, name: &str) -> Result<Option<&'static Service>, ModelError> {
    let known = SERVICES.iter().map(|(model, command)| (command, model));
    let alias = known
        .chain(SERVICE_ALIASES.iter().map(|(alias, model)| (alias, model)))
        .find(|(command, _)| **command == name)
        .map_or(name, |(_, model)| *model);
    store.service(alias)
}

/// What the command line calls the services there are, sorted.
#[must_use]
pub fn service_commands(store: &Store) -> Vec<String> {
    let mut names: Vec<String> =
        store.names().iter().map(|it| service_command(it).to_owned()).collect();
    names.sort();
    names
}

/// What the command line calls a service's operations, sorted, and the names they have in the model.
#[must_use]
pub fn operation_commands(service: &Service) -> Vec<(String, &'static str)> {
    let more = OPERATION_ALIASES
        .iter()
        .filter(|(of, _, operation, shown)| {
            *shown && *of == service.name && service.operation(operation).is_some()
        })
        .map(|(_, command, operation, _)| ((*command).to_owned(), *operation));
    let mut names: Vec<(String, &'static str)> =
        service.operation_names().map(|it| (operation_name(it), it)).chain(more).collect();
    names.sort();
    names
}

/// The operation that the command line calls so.
#[must_use]
pub fn find_operation<'a>(service: &'a Service, command: &str) -> Option<&'a Operation> {
    let alias =
        OPERATION_ALIASES.iter().find(|(of, name, ..)| *of == service.name && *name == command);
    let name = match alias {
        Some((_, _, operation, _)) => operation,
        None => service
            .operation_names()
            .find(|it| has_letters(it, command) && operation_name(it) == command)?,
    };
    service.operation(name)
}

/// Whether a name has the letters of a command: what can be seen quickly.
fn has_letters(name: &str, command: &str) -> bool {
    let name = name.bytes().map(|it| it.to_ascii_lowercase());
    name.eq(command.bytes().filter(|it| *it != b'-'))
}

/// What the command line calls a service's waiters, sorted.
#[must_use]
pub fn waiter_commands(service: &Service) -> Vec<String> {
    let mut names: Vec<String> = Waiter::names(service).into_iter().map(command_name).collect();
    names.sort();
    names
}

/// The waiter that the command line calls so, and the operation it calls.
#[must_use]
pub fn find_waiter<'a>(
    service: &'a Service,
    command: &str,
) -> Option<(&'static str, &'a Operation)> {
    let all = service.waiters();
    let (name, said) = all.entries().iter().find(|(name, _)| command_name(name) == command)?;
    let operation = said.get("operation").and_then(Tree::as_str)?;
    Some((name, service.operation(operation)?))
}

/// Up to three names that are nearly this one, the nearest first.
#[must_use]
pub fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    let name = name.to_lowercase();
    let mut rated: Vec<(f64, &str)> = known
        .into_iter()
        .map(|it| (it.to_lowercase(), it))
        .map(|(plain, it)| (strsim::jaro_winkler(&name, &plain), plain, it))
        .filter(|(likeness, plain, _)| {
            // Short names are near to each other although their likeness is small.
            *likeness > 0.85 || strsim::damerau_levenshtein(&name, plain) <= 1
        })
        .map(|(likeness, _, it)| (likeness, it))
        .collect();
    rated.sort_by(|left, right| right.0.total_cmp(&left.0).then(left.1.cmp(right.1)));
    rated.truncate(3);
    rated.into_iter().map(|(_, it)| it.to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_command_line() {
        for (name, command) in [
            ("DescribeDBInstances", "describe-db-instances"),
            ("ListWebACLs", "list-web-acls"),
            ("GatewayARNs", "gateway-arns"),
            ("PutMetricData", "put-metric-data"),
            ("ec2TagFilters", "ec2-tag-filters"),
            ("CodeSha256", "code-sha256"),
            ("LoRaWAN", "lo-ra-wan"),
            ("already-one", "already-one"),
        ] {
            assert_eq!(command_name(name), command);
        }
        assert_eq!(operation_name("ExecutePartiQLBatch"), "execute-partiql-batch");
        assert_eq!(operation_name("SendWhatsAppMessage"), "send-whatsapp-message");
        assert_eq!(operation_name("CreateStorediSCSIVolume"), "create-stored-iscsi-volume");
    }

    #[test]
    fn names_are_found_and_guessed() {
        let store = Store::default();
        let service = find_service(&store, "s3api").expect("readable").expect("there");
        assert_eq!(service.name, "s3");
        assert_eq!(find_operation(service, "get-object").expect("there").name, "GetObject");
        assert!(find_operation(service, "GetObject").is_none());
        let (waiter, operation) = find_waiter(service, "bucket-exists").expect("there");
        assert_eq!((waiter, operation.name), ("BucketExists", "HeadBucket"));
        let names = operation_commands(service);
        let names = names.iter().map(|(name, _)| name.as_str());
        assert_eq!(nearest("list-bucket", names)[0], "list-buckets");
        assert_eq!(nearest("qqq", ["ec2", "s3"]), Vec::<String>::new());
    }
}
