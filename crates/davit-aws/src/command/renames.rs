//! Arguments that have another name on the command line than in the model. A table and nothing else.
//!
//! Source: the AWS CLI's argument renames and hidden aliases.

/// The service and the operation as the command line calls them (`*` for all), the argument, and what
/// it is called instead.
type Rename = (&'static str, &'static str, &'static str, &'static str);

/// Arguments that are called otherwise, for most since a global option has their name.
const RENAMES: &[Rename] = &[
    ("apigateway", "create-rest-api", "version", "api-version"),
    ("apigatewayv2", "create-api", "version", "api-version"),
    ("apigatewayv2", "update-api", "version", "api-version"),
    ("clouddirectory", "publish-schema", "version", "schema-version"),
    ("cloudsearchdomain", "search", "query", "search-query"),
    ("cloudsearchdomain", "suggest", "query", "suggest-query"),
    ("codepipeline", "create-custom-action-type", "version", "action-version"),
    ("codepipeline", "delete-custom-action-type", "version", "action-version"),
    ("codepipeline", "get-action-type", "version", "action-version"),
    ("codepipeline", "get-pipeline", "version", "pipeline-version"),
    ("controltower", "create-landing-zone", "version", "landing-zone-version"),
    ("controltower", "update-landing-zone", "version", "landing-zone-version"),
    ("datapipeline", "*", "query", "objects-query"),
    ("datapipeline", "get-pipeline-definition", "version", "pipeline-version"),
    ("ec2", "*", "no-disable-api-termination", "enable-api-termination"),
    ("ec2", "*", "no-egress", "ingress"),
    ("ec2", "create-image", "no-no-reboot", "reboot"),
    ("ecs", "*", "no-enable-execute-command", "disable-execute-command"),
    ("ecs", "execute-command", "no-interactive", "non-interactive"),
    ("eks", "create-cluster", "version", "kubernetes-version"),
    ("eks", "create-nodegroup", "version", "kubernetes-version"),
    ("eks", "update-cluster-components-version", "version", "kubernetes-version"),
    ("eks", "update-cluster-version", "version", "kubernetes-version"),
    ("eks", "update-nodegroup-version", "version", "kubernetes-version"),
    ("emr", "*", "job-flow-id", "cluster-id"),
    ("emr", "*", "job-flow-ids", "cluster-ids"),
    ("gamelift", "create-build", "version", "build-version"),
    ("gamelift", "create-script", "version", "script-version"),
    ("gamelift", "update-build", "version", "build-version"),
    ("gamelift", "update-script", "version", "script-version"),
    ("glue", "get-unfiltered-partition-metadata", "region", "resource-region"),
    ("glue", "get-unfiltered-partitions-metadata", "region", "resource-region"),
    ("glue", "get-unfiltered-table-metadata", "region", "resource-region"),
    ("iotwireless", "*", "lo-ra-wan", "lorawan"),
    ("kinesisanalytics", "add-application-output", "output", "application-output"),
    ("kinesisanalyticsv2", "add-application-output", "output", "application-output"),
    ("lex-models", "delete-bot", "version", "bot-version"),
    ("lex-models", "delete-bot-version", "version", "bot-version"),
    ("lex-models", "delete-intent", "version", "intent-version"),
    ("lex-models", "delete-intent-version", "version", "intent-version"),
    ("lex-models", "delete-slot-type", "version", "slot-type-version"),
    ("lex-models", "delete-slot-type-version", "version", "slot-type-version"),
    ("lex-models", "get-export", "version", "resource-version"),
    ("lex-models", "get-intent", "version", "intent-version"),
    ("lex-models", "get-slot-type", "version", "slot-type-version"),
    ("license-manager", "delete-grant", "version", "grant-version"),
    ("license-manager", "get-grant", "version", "grant-version"),
    ("license-manager", "get-license", "version", "license-version"),
    ("mturk", "list-qualification-types", "query", "types-query"),
    ("pinpoint", "delete-email-template", "version", "template-version"),
    ("pinpoint", "delete-in-app-template", "version", "template-version"),
    ("pinpoint", "delete-push-template", "version", "template-version"),
    ("pinpoint", "delete-sms-template", "version", "template-version"),
    ("pinpoint", "delete-voice-template", "version", "template-version"),
    ("pinpoint", "get-campaign-version", "version", "campaign-version"),
    ("pinpoint", "get-email-template", "version", "template-version"),
    ("pinpoint", "get-in-app-template", "version", "template-version"),
    ("pinpoint", "get-push-template", "version", "template-version"),
    ("pinpoint", "get-segment-version", "version", "segment-version"),
    ("pinpoint", "get-sms-template", "version", "template-version"),
    ("pinpoint", "get-voice-template", "version", "template-version"),
    ("pinpoint", "update-email-template", "version", "template-version"),
    ("pinpoint", "update-in-app-template", "version", "template-version"),
    ("pinpoint", "update-push-template", "version", "template-version"),
    ("pinpoint", "update-sms-template", "version", "template-version"),
    ("pinpoint", "update-voice-template", "version", "template-version"),
    ("rds", "add-option-to-option-group", "options-to-include", "options"),
    ("rds", "remove-option-from-option-group", "options-to-remove", "options"),
    ("rekognition", "create-stream-processor", "output", "stream-processor-output"),
    ("route53", "delete-traffic-policy", "version", "traffic-policy-version"),
    ("route53", "get-traffic-policy", "version", "traffic-policy-version"),
    ("route53", "update-traffic-policy-comment", "version", "traffic-policy-version"),
    ("route53domains", "view-billing", "end", "end-time"),
    ("route53domains", "view-billing", "start", "start-time"),
    ("sagemaker", "delete-image-version", "version", "version-number"),
    ("sagemaker", "describe-image-version", "version", "version-number"),
    ("sagemaker", "list-aliases", "version", "version-number"),
    ("sagemaker", "update-image-version", "version", "version-number"),
    ("schemas", "*", "version", "schema-version"),
    ("ses", "send-email", "source", "from"),
    ("sns", "subscribe", "endpoint", "notification-endpoint"),
    ("stepfunctions", "send-task-success", "output", "task-output"),
    ("swf", "register-activity-type", "version", "activity-version"),
    ("swf", "register-workflow-type", "version", "workflow-version"),
    ("workdocs", "create-notification-subscription", "endpoint", "notification-endpoint"),
    ("workdocs", "describe-users", "query", "user-query"),
];

/// Arguments that have a second name, which is not shown.
const ALIASES: &[Rename] = &[
    (
        "cognito-identity",
        "create-identity-pool",
        "open-id-connect-provider-arns",
        "open-id-connect-provider-ar-ns",
    ),
    ("deploy", "create-deployment-group", "ec2-tag-set", "ec-2-tag-set"),
    ("deploy", "list-application-revisions", "s3-bucket", "s-3-bucket"),
    ("deploy", "list-application-revisions", "s3-key-prefix", "s-3-key-prefix"),
    ("deploy", "update-deployment-group", "ec2-tag-set", "ec-2-tag-set"),
    (
        "elasticache",
        "create-replication-group",
        "preferred-cache-cluster-azs",
        "preferred-cache-cluster-a-zs",
    ),
    ("iam", "enable-mfa-device", "authentication-code1", "authentication-code-1"),
    ("iam", "enable-mfa-device", "authentication-code2", "authentication-code-2"),
    ("iam", "resync-mfa-device", "authentication-code1", "authentication-code-1"),
    ("iam", "resync-mfa-device", "authentication-code2", "authentication-code-2"),
    ("importexport", "get-shipping-label", "street1", "street-1"),
    ("importexport", "get-shipping-label", "street2", "street-2"),
    ("importexport", "get-shipping-label", "street3", "street-3"),
    ("lambda", "publish-version", "code-sha256", "code-sha-256"),
    ("lightsail", "import-key-pair", "public-key-base64", "public-key-base-64"),
    (
        "mgn",
        "*",
        "replication-configuration-template-ids",
        "replication-configuration-template-i-ds",
    ),
    (
        "mgn",
        "*",
        "replication-servers-security-groups-ids",
        "replication-servers-security-groups-i-ds",
    ),
    ("mgn", "*", "source-server-ids", "source-server-i-ds"),
    ("route53domains", "view-billing", "start-time", "start"),
    ("storagegateway", "describe-cached-iscsi-volumes", "volume-arns", "volume-ar-ns"),
    ("storagegateway", "describe-stored-iscsi-volumes", "volume-arns", "volume-ar-ns"),
    ("storagegateway", "describe-tape-archives", "tape-arns", "tape-ar-ns"),
    ("storagegateway", "describe-tapes", "tape-arns", "tape-ar-ns"),
    ("storagegateway", "describe-vtl-devices", "vtl-device-arns", "vtl-device-ar-ns"),
];

/// What an argument of an operation is called instead.
pub(super) fn renamed(service: &str, command: &str, argument: &str) -> Option<&'static str> {
    find(RENAMES, service, command, argument)
}

/// The second name of an argument.
pub(super) fn alias(service: &str, command: &str, argument: &str) -> Option<&'static str> {
    find(ALIASES, service, command, argument)
}

fn find(table: &[Rename], service: &str, command: &str, argument: &str) -> Option<&'static str> {
    let fits = |(of, on, from, _): &&Rename| {
        *of == service && *from == argument && (*on == "*" || *on == command)
    };
    table.iter().find(fits).map(|(.., to)| *to)
}
