//! A service as its model describes it: operations and the shapes they take and give. Knows no
//! protocol and no file.

use std::{fmt, sync::OnceLock};

use super::tree::{Reader, Tree};
use crate::endpoint::Rules;

/// A service of AWS, by its model. Its operations and shapes are read when they are first asked for.
pub struct Service {
    /// botocore's name, which the command line has too: `ec2`.
    pub name: &'static str,
    /// What holds for the whole service.
    pub metadata: Metadata,
    pub(super) operations: Vec<Slot<Operation>>,
    pub(super) shapes: Vec<Slot<Shape>>,
    pub(super) pieces: &'static Pieces,
    pub(super) paginators: Reader,
    pub(super) waiters: Reader,
    pub(super) rules: Reader,
    pub(super) client_context: Reader,
    pub(super) compiled_rules: OnceLock<Result<Rules, String>>,
}

impl fmt::Debug for Service {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.debug_struct("Service").field("name", &self.name).finish_non_exhaustive()
    }
}

/// Something that is read when it is first asked for. Small, since a service has thousands and few of them are
/// ever read.
pub(super) struct Slot<T> {
    pub(super) name: &'static str,
    pub(super) place: Place,
    pub(super) value: OnceLock<Box<T>>,
}

/// Where the tree of a slot stands: so many bytes of a piece.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    pub(super) piece: usize,
    pub(super) from: usize,
    pub(super) size: usize,
}

/// The trees of a service's operations and shapes, in pieces each of which is unpacked when something in it is
/// first asked for.
pub(super) struct Pieces {
    pub(super) strings: &'static [&'static str],
    pub(super) pieces: Vec<Piece>,
}

/// A piece: what it is unpacked from, and what came of that.
pub(super) struct Piece {
    pub(super) unpack: Box<dyn Fn() -> Vec<u8> + Send + Sync>,
    pub(super) bytes: OnceLock<&'static [u8]>,
}

impl Pieces {
    /// The tree at a place; nothing of a pack that was tampered with.
    fn tree(&self, place: Place) -> Tree {
        let read = || {
            let piece = self.pieces.get(place.piece)?;
            let bytes: &'static [u8] = piece.bytes.get_or_init(|| (piece.unpack)().leak());
            let bytes = bytes.get(place.from..place.from.checked_add(place.size)?)?;
            Reader::new(bytes, self.strings).tree()
        };
        read().unwrap_or(Tree::Null)
    }
}

/// Which shape of a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ShapeId(pub(super) u32);

/// What holds for a whole service: `metadata` of its model.
#[derive(Debug, Clone)]
pub struct Metadata {
    /// The version of the interface: `2016-11-15`.
    pub api_version: &'static str,
    /// The first label of its hosts' names, where no rule says otherwise.
    pub endpoint_prefix: &'static str,
    /// The name it is signed for.
    pub signing_name: &'static str,
    /// Its id, which settings are named after: `Secrets Manager`.
    pub service_id: &'static str,
    /// Its name in full.
    pub full_name: &'static str,
    /// The protocol that is spoken with it.
    pub protocol: Protocol,
    /// `1.0` or `1.1`, for `Protocol::Json`.
    pub json_version: &'static str,
    /// What stands before the operation in `X-Amz-Target`, for `Protocol::Json`; what stands in the
    /// path, for `Protocol::Cbor`.
    pub target_prefix: &'static str,
    /// The namespace of its XML.
    pub xml_namespace: Option<&'static str>,
    /// `v4`, `s3`, `s3v4`, `v2`, `bearer`.
    pub signature_version: &'static str,
    /// The ways to sign, the best first: `aws.auth#sigv4`. May be empty.
    pub auth: Vec<&'static str>,
    /// Errors carry the codes that the query protocol had, in `x-amzn-query-error`.
    pub query_compatible: bool,
    /// All of it, for what is asked for seldom.
    pub all: Tree,
}

/// How requests and answers look on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// JSON over resources: `rest-json`.
    RestJson,
    /// JSON over one address: `json`.
    Json,
    /// XML over resources: `rest-xml`.
    RestXml,
    /// Forms that are answered in XML: `query`.
    Query,
    /// The query protocol as EC2 speaks it: `ec2`.
    Ec2,
    /// CBOR over one address: `smithy-rpc-v2-cbor`.
    Cbor,
}

impl Protocol {
    /// What models call it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::RestJson => "rest-json",
            Self::Json => "json",
            Self::RestXml => "rest-xml",
            Self::Query => "query",
            Self::Ec2 => "ec2",
            Self::Cbor => "smithy-rpc-v2-cbor",
        }
    }

    /// The one that models call so.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::PREFERRED.into_iter().find(|it| it.name() == name)
    }

    /// In the order in which botocore prefers them.
    const PREFERRED: [Self; 6] =
        [Self::Json, Self::RestJson, Self::RestXml, Self::Cbor, Self::Query, Self::Ec2];

    fn of(metadata: &Tree) -> Option<Self> {
        let has = |name: &str| {
            let listed = metadata.get("protocols").map(Tree::items).unwrap_or_default();
            if listed.is_empty() {
                metadata.text("protocol") == Some(name)
            } else {
                listed.iter().any(|it| it.as_str() == Some(name))
            }
        };
        Self::PREFERRED.into_iter().find(|it| has(it.name()))
    }
}

/// An operation of a service.
#[derive(Debug)]
pub struct Operation {
    /// `DescribeInstances`.
    pub name: &'static str,
    /// `GET`, `POST` ...
    pub method: &'static str,
    /// The path and query with their labels: `/{Bucket}/{Key+}?uploads`.
    pub uri: &'static str,
    /// What it takes.
    pub input: Option<ShapeId>,
    /// What stands beside the input's shape: the name and namespace of its XML element.
    pub input_traits: Traits,
    /// What it gives.
    pub output: Option<ShapeId>,
    /// The element that the answer is wrapped in, for the query protocol.
    pub result_wrapper: Option<&'static str>,
    /// The errors it names.
    pub errors: Vec<ShapeId>,
    /// `none`, `v4-unsigned-body`: where it is not signed as the service is.
    pub auth_type: Option<&'static str>,
    /// The ways to sign it, where they are not the service's.
    pub auth: Vec<&'static str>,
    /// What goes before the host, with labels: `{AccountId}.`.
    pub host_prefix: Option<&'static str>,
    /// What checksums are sent and looked at: `httpChecksum`, if any.
    pub http_checksum: Option<HttpChecksum>,
    /// A checksum must be sent: `httpChecksumRequired`.
    pub checksum_required: bool,
    /// The body is not part of what is signed.
    pub unsigned_payload: bool,
    /// Bodies may be packed this way: `gzip`.
    pub compression: Vec<&'static str>,
    /// Parameters of the endpoint's rules that are the same for every call.
    pub static_context: Vec<(&'static str, Tree)>,
    /// Parameters of the endpoint's rules that are taken from the input, each with a JMESPath.
    pub operation_context: Vec<(&'static str, &'static str)>,
    /// Asks where to send others to; `Some(true)` means that a call needs it.
    pub endpoint_discovery: Option<bool>,
    /// This is the operation that tells the others where to go.
    pub endpoint_operation: bool,
    /// It only reads, as far as the model says.
    pub read_only: bool,
}

/// `httpChecksum` of an operation.
#[derive(Debug, Clone, Copy)]
pub struct HttpChecksum {
    /// The member that names the algorithm.
    pub algorithm_member: Option<&'static str>,
    /// The request must have one.
    pub required: bool,
    /// The member that asks for the answer's to be looked at.
    pub validation_member: Option<&'static str>,
    /// The answer has one: the algorithms it may be of are not listed here, since any that is known is looked at.
    pub of_response: bool,
}

/// Something that is taken or given.
#[derive(Debug)]
pub struct Shape {
    /// Its name in the model.
    pub name: &'static str,
    /// What kind of thing it is.
    pub kind: Kind,
    /// How it is written, where the member that uses it does not say otherwise.
    pub traits: Traits,
}

/// What kind of thing a shape is.
#[derive(Debug)]
pub enum Kind {
    /// Named members.
    Structure(Structure),
    /// Values in an order.
    List {
        /// What each is.
        member: Member,
        /// How many there may be.
        bounds: Bounds,
    },
    /// Values by name.
    Map {
        /// What names are.
        key: Member,
        /// What values are.
        value: Member,
        /// How many there may be.
        bounds: Bounds,
    },
    /// Text.
    String {
        /// What it may be; anything if empty.
        choices: Vec<&'static str>,
        /// How long it may be.
        bounds: Bounds,
    },
    /// 32 bits.
    Integer(Bounds),
    /// 64 bits.
    Long(Bounds),
    /// 32 bits.
    Float(Bounds),
    /// 64 bits.
    Double(Bounds),
    /// Yes or no.
    Boolean,
    /// Bytes.
    Blob {
        /// How many there may be.
        bounds: Bounds,
    },
    /// A point in time.
    Timestamp,
}

/// A structure's members and what it is used for.
#[derive(Debug, Default)]
pub struct Structure {
    /// In the model's order.
    pub members: Vec<Member>,
    /// The names of those that must be there.
    pub required: Vec<&'static str>,
    /// The name of the one that is the whole body.
    pub payload: Option<&'static str>,
    /// Exactly one of them is given.
    pub union: bool,
    /// Any JSON value at all.
    pub document: bool,
    /// Its members are events of a stream.
    pub event_stream: bool,
    /// It is an event of a stream.
    pub event: bool,
    /// What is known of it as an error.
    pub error: Option<ErrorTraits>,
}

impl Structure {
    /// The member of a name.
    #[must_use]
    pub fn member(&self, name: &str) -> Option<&Member> {
        self.members.iter().find(|it| it.name == name)
    }
}

/// What a model says of an error.
#[derive(Debug, Clone, Copy, Default)]
pub struct ErrorTraits {
    /// The code that goes over the wire, where it is not the shape's name.
    pub code: Option<&'static str>,
    /// The HTTP status it comes with.
    pub status: Option<i64>,
    /// The caller is at fault.
    pub sender_fault: bool,
    /// Trying again makes sense: `retryable`.
    pub retryable: bool,
    /// ... later and slower: `retryable: {throttling: true}`.
    pub throttling: bool,
}

/// How large or how many.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Bounds {
    /// At least.
    pub min: Option<f64>,
    /// At most.
    pub max: Option<f64>,
}

/// A member of a structure, list or map.
#[derive(Debug)]
pub struct Member {
    /// Its name; `member`, `key` or `value` in lists and maps.
    pub name: &'static str,
    /// What it is.
    pub shape: ShapeId,
    /// How it is written: what the member says itself, and its shape's word where it says nothing.
    pub traits: Traits,
}

/// How something is written.
#[derive(Debug, Clone, Copy, Default)]
pub struct Traits {
    /// Where it goes, if not in the body.
    pub location: Option<Location>,
    /// Its name there.
    pub location_name: Option<&'static str>,
    /// Its name in the EC2 protocol.
    pub query_name: Option<&'static str>,
    /// The namespace of its XML element.
    pub xml_namespace: Option<XmlNamespace>,
    /// An attribute of the XML element, not an element in it.
    pub xml_attribute: bool,
    /// A list or map without an element around it.
    pub flattened: bool,
    /// A body that is not read as a whole.
    pub streaming: bool,
    /// A stream's length must be known.
    pub requires_length: bool,
    /// JSON in a header.
    pub json_value: bool,
    /// `iso8601`, `rfc822`, `unixTimestamp`.
    pub timestamp_format: Option<&'static str>,
    /// Made up by the client where it is not given.
    pub idempotency_token: bool,
    /// Goes into the host's name.
    pub host_label: bool,
    /// The body of an event.
    pub event_payload: bool,
    /// A header of an event.
    pub event_header: bool,
    /// The parameter of the endpoint's rules that it sets.
    pub context_param: Option<&'static str>,
    /// Nothing to be shown.
    pub sensitive: bool,
    /// A list or map that may hold nulls.
    pub sparse: bool,
    /// A structure wrapped in another element.
    pub wrapper: bool,
}

/// An XML namespace.
#[derive(Debug, Clone, Copy)]
pub struct XmlNamespace {
    /// `xmlns`.
    pub uri: &'static str,
    /// `xsi`, for `xmlns:xsi`.
    pub prefix: Option<&'static str>,
}

/// A place outside the body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Location {
    /// A label of the path.
    Uri,
    /// `?name=value`.
    Query,
    /// A header.
    Header,
    /// All headers whose names begin so.
    Headers,
    /// The answer's status.
    Status,
}

impl Service {
    /// The same service in another protocol, for those that speak several.
    #[must_use]
    pub fn speaking(&self, protocol: Protocol) -> Self {
        fn unread<T>(slots: &[Slot<T>]) -> Vec<Slot<T>> {
            let one =
                |it: &Slot<T>| Slot { name: it.name, place: it.place, value: OnceLock::new() };
            slots.iter().map(one).collect()
        }
        Self {
            name: self.name,
            metadata: Metadata { protocol, ..self.metadata.clone() },
            operations: unread(&self.operations),
            shapes: unread(&self.shapes),
            pieces: self.pieces,
            paginators: self.paginators,
            waiters: self.waiters,
            rules: self.rules,
            client_context: self.client_context,
            compiled_rules: OnceLock::new(),
        }
    }

    /// The names of its operations, sorted.
    pub fn operation_names(&self) -> impl ExactSizeIterator<Item = &'static str> + '_ {
        self.operations.iter().map(|slot| slot.name)
    }

    /// The operation of a name as the model has it: `DescribeInstances`.
    #[must_use]
    pub fn operation(&self, name: &str) -> Option<&Operation> {
        let place = self.operations.binary_search_by(|slot| slot.name.cmp(name)).ok()?;
        let slot = &self.operations[place];
        Some(
            slot.value.get_or_init(|| {
                Box::new(Operation::read(slot.name, &self.pieces.tree(slot.place)))
            }),
        )
    }

    /// A shape.
    ///
    /// # Panics
    ///
    /// When the id is another service's.
    #[must_use]
    pub fn shape(&self, id: ShapeId) -> &Shape {
        let slot = &self.shapes[id.0 as usize];
        slot.value
            .get_or_init(|| Box::new(Self::read_shape(slot.name, &self.pieces.tree(slot.place))))
    }

    /// The members of a structure; nothing if the shape is none.
    #[must_use]
    pub fn structure(&self, id: ShapeId) -> Option<&Structure> {
        match &self.shape(id).kind {
            Kind::Structure(structure) => Some(structure),
            _ => None,
        }
    }

    /// The shape of a name.
    #[must_use]
    pub fn shape_named(&self, name: &str) -> Option<ShapeId> {
        let place = self.shapes.iter().position(|slot| slot.name == name)?;
        Some(ShapeId(u32::try_from(place).ok()?))
    }

    /// All shapes that are errors, whatever operation names them.
    pub fn errors(&self) -> impl Iterator<Item = &Shape> + '_ {
        (0..u32::try_from(self.shapes.len()).unwrap_or(0)).map(|it| self.shape(ShapeId(it))).filter(
            |shape| matches!(&shape.kind, Kind::Structure(structure) if structure.error.is_some()),
        )
    }

    /// `pagination` of the model: for each operation its tokens and keys.
    #[must_use]
    pub fn paginators(&self) -> Tree {
        self.paginators.clone().tree().unwrap_or(Tree::Null)
    }

    /// `waiters` of the model: for each name what is called and what is waited for.
    #[must_use]
    pub fn waiters(&self) -> Tree {
        self.waiters.clone().tree().unwrap_or(Tree::Null)
    }

    /// The rules that say where requests go.
    #[must_use]
    pub fn endpoint_rules(&self) -> Tree {
        self.rules.clone().tree().unwrap_or(Tree::Null)
    }

    /// The same rules as they are looked through, or what is wrong with them. Read when they are first
    /// asked for.
    pub(crate) fn compiled_rules(&self) -> &Result<Rules, String> {
        self.compiled_rules.get_or_init(|| Rules::read(&self.endpoint_rules()))
    }

    /// `clientContextParams`: parameters of the rules that a client is made with.
    #[must_use]
    pub fn client_context_params(&self) -> Tree {
        self.client_context.clone().tree().unwrap_or(Tree::Null)
    }

    fn read_shape(name: &'static str, tree: &Tree) -> Shape {
        let member = |key: &'static str| Member::read(key, tree.get(key).unwrap_or(&Tree::Null));
        let bounds = Bounds {
            min: tree.get("min").and_then(Tree::as_number),
            max: tree.get("max").and_then(Tree::as_number),
        };
        let kind = match tree.text("type").unwrap_or_default() {
            "list" => Kind::List { member: member("member"), bounds },
            "map" => Kind::Map { key: member("key"), value: member("value"), bounds },
            "integer" => Kind::Integer(bounds),
            "long" => Kind::Long(bounds),
            "float" => Kind::Float(bounds),
            "double" => Kind::Double(bounds),
            "boolean" => Kind::Boolean,
            "blob" => Kind::Blob { bounds },
            "timestamp" => Kind::Timestamp,
            "structure" => Kind::Structure(Self::read_structure(tree)),
            _ => Kind::String { choices: strings(tree.get("enum")), bounds },
        };
        Shape { name, kind, traits: Traits::read(tree) }
    }

    fn read_structure(tree: &Tree) -> Structure {
        let members = tree.get("members").map(Tree::entries).unwrap_or_default();
        let error = (tree.flag("exception") || tree.get("error").is_some()).then(|| {
            let error = tree.get("error").unwrap_or(&Tree::Null);
            let retryable = tree.get("retryable");
            ErrorTraits {
                code: error.text("code"),
                status: error.get("httpStatusCode").and_then(Tree::as_int),
                sender_fault: error.flag("senderFault"),
                retryable: retryable.is_some(),
                throttling: retryable.is_some_and(|it| it.flag("throttling")),
            }
        });
        Structure {
            members: members.iter().map(|(name, tree)| Member::read(name, tree)).collect(),
            required: strings(tree.get("required")),
            payload: tree.text("payload"),
            union: tree.flag("union"),
            document: tree.flag("document"),
            event_stream: tree.flag("eventstream"),
            event: tree.flag("event"),
            error,
        }
    }
}

impl ShapeId {
    /// The shape that a place names: its number, alone or among what is said of how it is written.
    fn read(tree: &Tree) -> Option<Self> {
        let id = tree.as_int().or_else(|| tree.get("shape").and_then(Tree::as_int))?;
        Some(Self(u32::try_from(id).ok()?))
    }
}

impl Member {
    fn read(name: &'static str, tree: &Tree) -> Self {
        Self { name, shape: ShapeId::read(tree).unwrap_or(ShapeId(0)), traits: Traits::read(tree) }
    }
}

impl Operation {
    fn read(name: &'static str, tree: &Tree) -> Self {
        let none = Tree::Null;
        let http = tree.get("http").unwrap_or(&none);
        let side = |name: &str| tree.get(name).unwrap_or(&none);
        let checksum = tree.get("httpChecksum").map(|it| HttpChecksum {
            algorithm_member: it.text("requestAlgorithmMember"),
            required: it.flag("requestChecksumRequired"),
            validation_member: it.text("requestValidationModeMember"),
            of_response: it.get("responseAlgorithms").is_some(),
        });
        let context = |tree: &Tree, key: &str| tree.get(key).cloned();
        Self {
            name,
            method: http.text("method").unwrap_or("POST"),
            uri: http.text("requestUri").unwrap_or("/"),
            input: ShapeId::read(side("input")),
            input_traits: Traits::read(side("input")),
            output: ShapeId::read(side("output")),
            result_wrapper: side("output").text("resultWrapper"),
            errors: side("errors").items().iter().filter_map(ShapeId::read).collect(),
            auth_type: tree.text("authtype"),
            auth: strings(tree.get("auth")),
            host_prefix: side("endpoint").text("hostPrefix"),
            http_checksum: checksum,
            checksum_required: tree.flag("httpChecksumRequired"),
            unsigned_payload: tree.flag("unsignedPayload"),
            compression: strings(side("requestcompression").get("encodings")),
            static_context: side("staticContextParams")
                .entries()
                .iter()
                .filter_map(|(name, tree)| Some((*name, context(tree, "value")?)))
                .collect(),
            operation_context: side("operationContextParams")
                .entries()
                .iter()
                .filter_map(|(name, tree)| Some((*name, tree.text("path")?)))
                .collect(),
            endpoint_discovery: tree.get("endpointdiscovery").map(|it| it.flag("required")),
            endpoint_operation: tree.flag("endpointoperation"),
            read_only: tree.flag("readonly"),
        }
    }
}

impl Traits {
    fn read(tree: &Tree) -> Self {
        let get = |name: &str| tree.get(name);
        let text = |name: &str| tree.text(name);
        let flag = |name: &str| tree.flag(name);
        let location = text("location").and_then(|it| match it {
            "uri" => Some(Location::Uri),
            "querystring" => Some(Location::Query),
            "header" => Some(Location::Header),
            "headers" => Some(Location::Headers),
            "statusCode" => Some(Location::Status),
            _ => None,
        });
        Self {
            location,
            location_name: text("locationName"),
            query_name: text("queryName"),
            xml_namespace: get("xmlNamespace").and_then(|it| {
                let uri = it.as_str().or_else(|| it.text("uri"))?;
                Some(XmlNamespace { uri, prefix: it.text("prefix") })
            }),
            xml_attribute: flag("xmlAttribute"),
            flattened: flag("flattened"),
            streaming: flag("streaming"),
            requires_length: flag("requiresLength"),
            json_value: flag("jsonvalue"),
            timestamp_format: text("timestampFormat"),
            idempotency_token: flag("idempotencyToken"),
            host_label: flag("hostLabel"),
            event_payload: flag("eventpayload"),
            event_header: flag("eventheader"),
            context_param: get("contextParam").and_then(|it| it.text("name")),
            sensitive: flag("sensitive"),
            sparse: flag("sparse"),
            wrapper: flag("wrapper"),
        }
    }
}

impl Metadata {
    pub(super) fn read(tree: Tree) -> Option<Self> {
        let text = |name: &str| tree.text(name).unwrap_or_default();
        Some(Self {
            api_version: text("apiVersion"),
            endpoint_prefix: text("endpointPrefix"),
            signing_name: tree.text("signingName").unwrap_or_else(|| text("endpointPrefix")),
            service_id: text("serviceId"),
            full_name: text("serviceFullName"),
            protocol: Protocol::of(&tree)?,
            json_version: tree.text("jsonVersion").unwrap_or("1.0"),
            target_prefix: text("targetPrefix"),
            xml_namespace: tree
                .get("xmlNamespace")
                .and_then(|it| it.as_str().or_else(|| it.text("uri"))),
            signature_version: text("signatureVersion"),
            auth: strings(tree.get("auth")),
            query_compatible: tree.get("awsQueryCompatible").is_some(),
            all: tree,
        })
    }
}

fn strings(list: Option<&Tree>) -> Vec<&'static str> {
    list.map(Tree::items).unwrap_or_default().iter().filter_map(Tree::as_str).collect()
}
