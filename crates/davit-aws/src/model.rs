//! The models of services: what operations there are, what they take and give. Knows no wire.

mod pack;
mod service;
mod store;
mod tree;

pub use self::{
    pack::{Files, Packed, common, merge, pack, pack_value, strings_of},
    service::{
        Bounds, ErrorTraits, HttpChecksum, Kind, Location, Member, Metadata, Operation, Protocol,
        Service, Shape, ShapeId, Structure, Traits, XmlNamespace,
    },
    store::{Listed, MAGIC, ModelError, Store, read_files},
    tree::{Tree, Writer},
};
