//! Arguments that the AWS CLI has besides those of the model, by the operation that has them. What
//! they do to the parameters is in `apply`.
//!
//! Source: the AWS CLI's customizations. Those that are not here are listed in the module's page.

mod apply;

use self::apply as set;
use super::table::Takes;
use crate::value::Map;

/// Looks at all parameters when they are there, and changes or refuses them.
type After = fn(&mut Map) -> Result<(), Refusal>;

/// What is special about some operations of a service.
pub(super) struct Custom {
    /// The service's name in the model.
    service: &'static str,
    /// The operations; all of the service if there are none.
    commands: &'static [&'static str],
    /// Arguments that are not there.
    pub(super) removes: &'static [&'static str],
    /// Arguments that need not be there although the model says so.
    pub(super) optional: &'static [&'static str],
    /// Arguments that are not shown.
    pub(super) hides: &'static [&'static str],
    /// Arguments that are there besides.
    pub(super) extras: &'static [Extra],
    /// Arguments of the first group cannot be given with those of the second.
    pub(super) apart: &'static [(&'static [&'static str], &'static [&'static str])],
    /// What is done when all arguments were taken.
    pub(super) after: Option<After>,
}

const PLAIN: Custom = Custom {
    service: "",
    commands: &[],
    removes: &[],
    optional: &[],
    hides: &[],
    extras: &[],
    apart: &[],
    after: None,
};

/// An argument that the model does not have.
pub(super) struct Extra {
    pub(super) name: &'static str,
    pub(super) takes: Takes,
    pub(super) required: bool,
    /// What it takes, in words.
    pub(super) kind: &'static str,
    pub(super) does: Does,
}

/// What an argument does.
pub(super) enum Does {
    /// Sets a member of a structure that is a parameter, both by their names in the model.
    Nested(&'static str, &'static str),
    /// Changes the parameters. Gets the words behind the argument.
    Apply(fn(&mut Map, &[String]) -> Result<(), String>),
    /// Writes what an expression finds in the answer to a file.
    Save(&'static str),
    /// Names the file for the seed of a virtual MFA device.
    SeedFile,
    /// Says which form of the seed goes there.
    SeedForm,
}

/// An argument that is refused when all are there.
pub(super) struct Refusal {
    pub(super) argument: &'static str,
    pub(super) reason: String,
}

/// What is special about an operation.
pub(super) fn of(service: &str, command: &str) -> impl Iterator<Item = &'static Custom> {
    CUSTOMS.iter().filter(move |it| {
        it.service == service && (it.commands.is_empty() || it.commands.contains(&command))
    })
}

const fn one(name: &'static str, kind: &'static str, does: Does) -> Extra {
    Extra { name, takes: Takes::One, required: false, kind, does }
}

const fn flag(name: &'static str, does: Does) -> Extra {
    Extra { name, takes: Takes::Nothing, required: false, kind: "no value", does }
}

const fn several(name: &'static str, does: Does) -> Extra {
    Extra { name, takes: Takes::Several, required: false, kind: "a list of strings", does }
}

const fn required(extra: Extra) -> Extra {
    Extra { required: true, ..extra }
}

const TEXT: &str = "a string";
const FILE: &str = "the path of a file";
const BYTES: &str = "a blob";

static CUSTOMS: &[Custom] = &[
    Custom {
        service: "ec2",
        commands: &["run-instances"],
        removes: &["min-count", "max-count"],
        extras: &[
            one("count", "min[:max]", Does::Apply(set::count)),
            Extra {
                name: "secondary-private-ip-addresses",
                takes: Takes::Many,
                required: false,
                kind: "a list of strings",
                does: Does::Apply(set::secondary_addresses),
            },
            one(
                "secondary-private-ip-address-count",
                "a whole number",
                Does::Apply(set::secondary_address_count),
            ),
            flag("associate-public-ip-address", Does::Apply(set::public_address)),
            flag("no-associate-public-ip-address", Does::Apply(set::no_public_address)),
        ],
        apart: &[(
            &["network-interfaces"],
            &[
                "secondary-private-ip-addresses",
                "secondary-private-ip-address-count",
                "associate-public-ip-address",
            ],
        )],
        after: Some(set::run_instances),
        ..PLAIN
    },
    Custom {
        service: "ec2",
        commands: &[
            "authorize-security-group-ingress",
            "authorize-security-group-egress",
            "revoke-security-group-ingress",
            "revoke-security-group-egress",
        ],
        hides: &[
            "ip-protocol",
            "from-port",
            "to-port",
            "cidr-ip",
            "source-security-group-name",
            "source-security-group-owner-id",
        ],
        extras: &[
            one("protocol", "tcp, udp, icmp, all or a number", Does::Apply(set::rule_protocol)),
            one("port", "from[-to] or all", Does::Apply(set::rule_port)),
            one("cidr", "an address range", Does::Apply(set::rule_cidr)),
            one("source-group", "a group's id or name", Does::Apply(set::rule_group)),
            one("group-owner", "an account's id", Does::Apply(set::rule_group_owner)),
        ],
        apart: &[(
            &["ip-permissions"],
            &["protocol", "port", "cidr", "source-group", "group-owner"],
        )],
        ..PLAIN
    },
    Custom {
        service: "ec2",
        commands: &["create-network-acl-entry", "replace-network-acl-entry"],
        after: Some(set::protocol_number),
        ..PLAIN
    },
    Custom {
        service: "cloudwatch",
        commands: &["put-metric-data"],
        optional: &["metric-data"],
        extras: &[
            one("metric-name", TEXT, Does::Apply(set::metric_name)),
            one("timestamp", "a time", Does::Apply(set::metric_time)),
            one("unit", TEXT, Does::Apply(set::metric_unit)),
            one("value", "a number", Does::Apply(set::metric_value)),
            one("dimensions", "name=value,name=value", Does::Apply(set::metric_dimensions)),
            one("statistic-values", "Sum=number,Minimum=number ...", Does::Apply(set::metric_set)),
            one("storage-resolution", "a whole number", Does::Apply(set::metric_resolution)),
        ],
        apart: &[(
            &["metric-data"],
            &["metric-name", "timestamp", "unit", "value", "dimensions", "statistic-values"],
        )],
        ..PLAIN
    },
    Custom {
        service: "ses",
        commands: &["send-email"],
        optional: &["message", "destination"],
        extras: &[
            several("to", Does::Apply(set::mail_to)),
            several("cc", Does::Apply(set::mail_cc)),
            several("bcc", Does::Apply(set::mail_bcc)),
            one("subject", TEXT, Does::Apply(set::mail_subject)),
            one("text", TEXT, Does::Apply(set::mail_text)),
            one("html", TEXT, Does::Apply(set::mail_html)),
        ],
        apart: &[(&["destination"], &["to", "cc", "bcc"]), (&["message"], &["text", "html"])],
        ..PLAIN
    },
    Custom {
        service: "lambda",
        commands: &["create-function"],
        optional: &["code"],
        extras: &[one("zip-file", "fileb://file.zip", Does::Nested("Code", "ZipFile"))],
        after: Some(set::code_is_zip),
        ..PLAIN
    },
    Custom {
        service: "lambda",
        commands: &["publish-layer-version"],
        optional: &["content"],
        extras: &[one("zip-file", "fileb://file.zip", Does::Nested("Content", "ZipFile"))],
        after: Some(set::content_is_zip),
        ..PLAIN
    },
    Custom {
        service: "lambda",
        commands: &["update-function-code"],
        after: Some(set::function_is_zip),
        ..PLAIN
    },
    Custom {
        service: "rekognition",
        optional: &["image", "source-image", "target-image"],
        extras: &[
            one("image-bytes", BYTES, Does::Nested("Image", "Bytes")),
            one("source-image-bytes", BYTES, Does::Nested("SourceImage", "Bytes")),
            one("target-image-bytes", BYTES, Does::Nested("TargetImage", "Bytes")),
        ],
        ..PLAIN
    },
    Custom {
        service: "quicksight",
        commands: &["start-asset-bundle-import-job"],
        optional: &["asset-bundle-import-source"],
        extras: &[one(
            "asset-bundle-import-source-bytes",
            BYTES,
            Does::Nested("AssetBundleImportSource", "Body"),
        )],
        ..PLAIN
    },
    Custom {
        service: "translate",
        commands: &["import-terminology"],
        optional: &["terminology-data"],
        extras: &[required(one("data-file", BYTES, Does::Nested("TerminologyData", "File")))],
        ..PLAIN
    },
    Custom {
        service: "translate",
        commands: &["translate-document"],
        extras: &[required(one("document-content", BYTES, Does::Nested("Document", "Content")))],
        ..PLAIN
    },
    Custom {
        service: "config",
        commands: &["put-configuration-recorder"],
        extras: &[one(
            "recording-group",
            "a structure",
            Does::Nested("ConfigurationRecorder", "recordingGroup"),
        )],
        ..PLAIN
    },
    Custom {
        service: "codedeploy",
        commands: &[
            "get-application-revision",
            "register-application-revision",
            "create-deployment",
        ],
        optional: &["revision"],
        extras: &[
            one("s3-location", "a structure", Does::Nested("revision", "s3Location")),
            one("github-location", "a structure", Does::Nested("revision", "gitHubLocation")),
        ],
        after: Some(set::revision_type),
        ..PLAIN
    },
    Custom {
        service: "cloudfront",
        commands: &["create-invalidation"],
        optional: &["invalidation-batch"],
        extras: &[several("paths", Does::Apply(set::invalidation_paths))],
        apart: &[(&["invalidation-batch"], &["paths"])],
        ..PLAIN
    },
    Custom {
        service: "cloudfront",
        commands: &["create-distribution"],
        optional: &["distribution-config"],
        extras: &[
            one("origin-domain-name", TEXT, Does::Apply(set::origin_domain)),
            one("default-root-object", TEXT, Does::Apply(set::root_object)),
        ],
        apart: &[(&["distribution-config"], &["origin-domain-name", "default-root-object"])],
        ..PLAIN
    },
    Custom {
        service: "cloudsearch",
        commands: &["define-expression"],
        removes: &["expression"],
        extras: &[
            required(one("name", TEXT, Does::Nested("Expression", "ExpressionName"))),
            required(one("expression", TEXT, Does::Nested("Expression", "ExpressionValue"))),
        ],
        ..PLAIN
    },
    Custom {
        service: "cloudsearch",
        commands: &["define-index-field"],
        removes: &["index-field"],
        extras: &[
            required(one("name", TEXT, Does::Nested("IndexField", "IndexFieldName"))),
            required(one("type", TEXT, Does::Nested("IndexField", "IndexFieldType"))),
            one("default-value", TEXT, Does::Apply(set::index_default)),
            one("facet-enabled", "true or false", Does::Apply(set::index_facet)),
            one("search-enabled", "true or false", Does::Apply(set::index_search)),
            one("return-enabled", "true or false", Does::Apply(set::index_return)),
            one("sort-enabled", "true or false", Does::Apply(set::index_sort)),
            one("source-field", TEXT, Does::Apply(set::index_source)),
            one("highlight-enabled", "true or false", Does::Apply(set::index_highlight)),
            one("analysis-scheme", TEXT, Does::Apply(set::index_scheme)),
        ],
        ..PLAIN
    },
    Custom {
        service: "emr",
        commands: &["add-tags"],
        removes: &["tags"],
        extras: &[required(several("tags", Does::Apply(set::emr_tags)))],
        ..PLAIN
    },
    Custom {
        service: "emr",
        commands: &["list-clusters"],
        removes: &["cluster-states"],
        extras: &[
            several("cluster-states", Does::Apply(set::cluster_states)),
            flag("active", Does::Apply(set::active_clusters)),
            flag("terminated", Does::Apply(set::terminated_clusters)),
            flag("failed", Does::Apply(set::failed_clusters)),
        ],
        ..PLAIN
    },
    Custom {
        service: "iot",
        commands: &["create-keys-and-certificate", "create-certificate-from-csr"],
        extras: &[one("certificate-pem-outfile", FILE, Does::Save("certificatePem"))],
        ..PLAIN
    },
    Custom {
        service: "iot",
        commands: &["create-keys-and-certificate"],
        extras: &[
            one("public-key-outfile", FILE, Does::Save("keyPair.PublicKey")),
            one("private-key-outfile", FILE, Does::Save("keyPair.PrivateKey")),
        ],
        ..PLAIN
    },
    Custom {
        service: "iam",
        commands: &["create-virtual-mfa-device"],
        extras: &[
            required(one("outfile", FILE, Does::SeedFile)),
            required(one("bootstrap-method", "QRCodePNG or Base32StringSeed", Does::SeedForm)),
        ],
        ..PLAIN
    },
];
