//! Makes `src/gcp/apis.bin` out of the discovery documents of google-api-python-client: `pack_apis DOCUMENTS RELEASE
//! OUTPUT`. `cargo xtask gen gcp-apis` fetches them and calls it.

use std::error::Error;
use std::{env, fs};

use davit_aws::model::{Writer, common};
use davit_cloud::gcp::store::MAGIC;
use davit_cloud::gcp::{methods_of, pack, strings_of};
use serde_json::Value;

/// The size of the dictionary that all frames share.
const DICTIONARY: usize = 110 << 10;
const LEVEL: i32 = 19;

/// A string that so many documents have is kept once for all.
const COMMON: usize = 20;

struct Document {
    name: String,
    version: String,
    methods: usize,
    json: Value,
    frame: Vec<u8>,
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [folder, release, output] = arguments.as_slice() else {
        return Err("pack_apis DOCUMENTS RELEASE OUTPUT".into());
    };
    let mut documents = Vec::new();
    for entry in fs::read_dir(folder)? {
        let json: Value = serde_json::from_slice(&fs::read(entry?.path())?)?;
        // The index beside them is no document.
        if json["rootUrl"].is_string() {
            let text = |name: &str| json[name].as_str().unwrap_or_default().to_owned();
            let (name, version) = (text("name"), text("version"));
            let methods = methods_of(&json);
            documents.push(Document { name, version, methods, json, frame: Vec::new() });
        }
    }
    // Some are there twice, under two names of the file.
    documents
        .sort_by(|left, right| (&left.name, &left.version).cmp(&(&right.name, &right.version)));
    documents.dedup_by(|left, right| left.name == right.name && left.version == right.version);
    let common = common(documents.iter().flat_map(|it| strings_of(&it.json)), COMMON);
    let common: Vec<&str> = common.iter().map(String::as_str).collect();
    for document in &mut documents {
        document.frame = pack(&document.json, &common);
    }
    let samples: Vec<&[u8]> = documents.iter().map(|it| it.frame.as_slice()).collect();
    let dictionary = zstd::dict::from_samples(&samples, DICTIONARY)?;
    fs::write(output, write(release, &documents, &dictionary, &common)?)?;
    Ok(())
}

fn write(
    release: &str,
    documents: &[Document],
    dictionary: &[u8],
    common: &[&str],
) -> Result<Vec<u8>, Box<dyn Error>> {
    let mut compressor = zstd::bulk::Compressor::with_dictionary(LEVEL, dictionary)?;
    let mut frames = Vec::new();
    for document in documents {
        frames.push(compressor.compress(&document.frame)?);
    }
    let mut table = Writer::default();
    table.table(common);
    let dictionary = zstd::bulk::compress(dictionary, LEVEL)?;
    let table = zstd::bulk::compress(&table.bytes, LEVEL)?;
    let mut out = Writer { bytes: MAGIC.to_vec() };
    out.text(release);
    out.size(dictionary.len());
    out.size(table.len());
    out.size(documents.len());
    for (document, frame) in documents.iter().zip(&frames) {
        out.text(&document.name);
        out.text(&document.version);
        out.size(document.methods);
        out.size(frame.len());
        out.size(document.frame.len());
    }
    let mut out = out.bytes;
    out.extend(dictionary);
    out.extend(table);
    frames.iter().for_each(|it| out.extend(it));
    Ok(out)
}
