//! Makes `models/models.bin` out of botocore's data: `pack_models BOTOCORE_DATA RELEASE OUTPUT`.
//! `cargo xtask gen aws-models` fetches the data and calls it.

use std::{env, error::Error, fs, path::Path};

use davit_aws::model::{
    Files, MAGIC, Packed, Writer, common, pack, pack_value, read_files, strings_of,
};

/// The size of the dictionary that all frames share.
const DICTIONARY: usize = 110 << 10;
const LEVEL: i32 = 19;

/// A string that so many services have is kept once for all.
const COMMON: usize = 20;

struct Model {
    words: [String; 4],
    files: Files,
    /// The head and the pieces.
    frames: Vec<Vec<u8>>,
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [data, release, output] = arguments.as_slice() else {
        return Err("pack_models BOTOCORE_DATA RELEASE OUTPUT".into());
    };
    let data = Path::new(data);
    let mut services = Vec::new();
    for entry in fs::read_dir(data)? {
        let folder = entry?.path();
        if folder.is_dir() {
            services.push(service(&folder)?);
        }
    }
    services.sort_by(|left, right| left.words[0].cmp(&right.words[0]));
    let common = common(services.iter().flat_map(|it| strings_of(&it.files)), COMMON);
    let common: Vec<&str> = common.iter().map(String::as_str).collect();
    for service in &mut services {
        let Packed { head, pieces } = pack(&service.files, &common);
        service.frames = [vec![head], pieces].concat();
    }
    let samples: Vec<&[u8]> =
        services.iter().flat_map(|it| &it.frames).map(Vec::as_slice).collect();
    let dictionary = zstd::dict::from_samples(&samples, DICTIONARY)?;
    let partitions = fs::read(data.join("partitions.json"))?;
    let partitions = pack_value(&serde_json::from_slice(&partitions)?);
    let mut strings = Writer::default();
    strings.table(&common);
    let file = write(release, &services, &dictionary, [&strings.bytes, &partitions])?;
    fs::write(output, file)?;
    Ok(())
}

fn service(folder: &Path) -> Result<Model, Box<dyn Error>> {
    let mut versions: Vec<_> =
        fs::read_dir(folder)?.collect::<Result<Vec<_>, _>>()?.iter().map(|it| it.path()).collect();
    versions.sort();
    let newest = versions.pop().ok_or("a service without a version")?;
    let files = read_files(&newest)?;
    let metadata = &files.service["metadata"];
    let word = |name: &str| metadata[name].as_str().unwrap_or_default().to_owned();
    let name = folder.file_name().ok_or("a folder without a name")?.to_string_lossy().into_owned();
    // The folder's version is the one that counts: that of the metadata may be older.
    let version = newest.file_name().ok_or("no name")?.to_string_lossy().into_owned();
    let words = [name, word("serviceId"), word("serviceFullName"), version];
    Ok(Model { words, files, frames: Vec::new() })
}

fn write(
    release: &str,
    services: &[Model],
    dictionary: &[u8],
    shared: [&[u8]; 2],
) -> Result<Vec<u8>, Box<dyn Error>> {
    let mut compressor = zstd::bulk::Compressor::with_dictionary(LEVEL, dictionary)?;
    let mut compress =
        |it: &Model| it.frames.iter().map(|it| compressor.compress(it)).collect::<Result<_, _>>();
    let frames: Vec<Vec<Vec<u8>>> = services.iter().map(&mut compress).collect::<Result<_, _>>()?;
    let common = zstd::bulk::compress(shared[0], LEVEL)?;
    let partitions = zstd::bulk::compress(shared[1], LEVEL)?;

    let mut out = Writer { bytes: MAGIC.to_vec() };
    out.text(release);
    out.size(dictionary.len());
    out.size(common.len());
    out.size(partitions.len());
    out.size(services.len());
    for (service, frames) in services.iter().zip(&frames) {
        service.words.iter().for_each(|it| out.text(it));
        for (at, (frame, plain)) in frames.iter().zip(&service.frames).enumerate() {
            if at == 1 {
                out.size(frames.len() - 1);
            }
            out.size(frame.len());
            out.size(plain.len());
        }
        if frames.len() == 1 {
            out.size(0);
        }
    }
    // As it is: to unpack it would take longer than all the rest of a small service.
    let mut out = out.bytes;
    out.extend(dictionary);
    out.extend(common);
    out.extend(partitions);
    frames.iter().flatten().for_each(|it| out.extend(it));
    Ok(out)
}
