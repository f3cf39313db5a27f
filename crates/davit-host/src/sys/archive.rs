//! Archives: what is in them, one member after the other.
//!
//! It reads tar (plain, or packed with gzip, bzip2, xz or zstd) and zip, and changes nothing.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::Path;

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use zip::ZipArchive;
use zip::extra_fields::ExtraField;

/// How an archive is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    /// Plain, or packed in another way than gzip's.
    Tar(Packing),
    /// A zip.
    Zip,
}

/// How a tar is packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Packing {
    None,
    Gzip,
    Bzip2,
    Xz,
    Zstd,
}

/// One thing in an archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Member {
    /// Its path in the archive; a folder's ends with `/`.
    pub(crate) name: String,
    pub(crate) kind: Kind,
    /// Permission bits, where the archive tells them.
    pub(crate) mode: Option<u32>,
    /// Owner and group by number and by name, where the archive tells them.
    pub(crate) owner: Option<Owner>,
    /// Seconds since the Unix epoch.
    pub(crate) mtime: i64,
    pub(crate) size: u64,
}

/// Whose a member is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Owner {
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    pub(crate) user: String,
    pub(crate) group: String,
}

/// What a member is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    File,
    Folder,
    /// A symbolic link, and where it points.
    Link(String),
    /// Another name of a member.
    HardLink(String),
    /// A device or a pipe: not unpacked.
    Other,
}

/// What is done with each member; its reader gives a file's content.
pub(crate) type Each<'a, E> = &'a mut dyn FnMut(&Member, &mut dyn Read) -> Result<(), E>;

impl Format {
    /// The format of a file, by how it begins; `None` where it is none that is known.
    ///
    /// # Errors
    /// Where it cannot be read.
    pub(crate) fn of(path: &Path) -> io::Result<Option<Self>> {
        let mut head = Vec::new();
        File::open(path)?.take(512).read_to_end(&mut head)?;
        let packing = match head.as_slice() {
            [b'P', b'K', 3 | 5, 4 | 6, ..] => return Ok(Some(Self::Zip)),
            [0x1f, 0x8b, ..] => Packing::Gzip,
            [b'B', b'Z', b'h', ..] => Packing::Bzip2,
            [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => Packing::Xz,
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Packing::Zstd,
            _ => Packing::None,
        };
        // What is packed must turn out to be a tar.
        let mut first = Vec::new();
        let read = open(path, packing).and_then(|it| it.take(512).read_to_end(&mut first));
        Ok((read.is_ok() && is_tar(&first)).then_some(Self::Tar(packing)))
    }

    /// Goes through all members.
    ///
    /// # Errors
    /// Where the archive is damaged, or what is done with a member fails.
    pub(crate) fn visit<E: From<io::Error>>(self, path: &Path, each: Each<'_, E>) -> Result<(), E> {
        match self {
            Self::Tar(packing) => visit_tar(open(path, packing)?, each),
            Self::Zip => visit_zip(File::open(path)?, each),
        }
    }
}

/// Whether a block is the head of a tar's member, or the end of an empty tar.
fn is_tar(block: &[u8]) -> bool {
    let Some(sum) = block.get(148..156) else { return false };
    if block.iter().all(|it| *it == 0) {
        return block.len() == 512;
    }
    let text = String::from_utf8_lossy(sum);
    let wanted = u32::from_str_radix(text.trim_matches(|it: char| it == '\0' || it == ' '), 8);
    let bytes = block.iter().enumerate();
    let sum: u32 =
        bytes.map(|(at, byte)| if (148..156).contains(&at) { 32 } else { u32::from(*byte) }).sum();
    block.len() == 512 && wanted == Ok(sum)
}

fn open(path: &Path, packing: Packing) -> io::Result<Box<dyn Read>> {
    let file = BufReader::with_capacity(64 * 1024, File::open(path)?);
    Ok(match packing {
        Packing::None => Box::new(file),
        Packing::Gzip => Box::new(flate2::bufread::MultiGzDecoder::new(file)),
        Packing::Bzip2 => Box::new(bzip2::bufread::MultiBzDecoder::new(file)),
        Packing::Xz => Box::new(lzma_rust2::XzReader::new(file, true)),
        Packing::Zstd => Box::new(
            ruzstd::decoding::StreamingDecoder::new(file)
                .map_err(|err| io::Error::new(io::ErrorKind::InvalidData, err.to_string()))?,
        ),
    })
}

fn visit_tar<E: From<io::Error>>(reader: Box<dyn Read>, each: Each<'_, E>) -> Result<(), E> {
    let mut archive = tar::Archive::new(reader);
    for entry in archive.entries()? {
        let mut entry = entry?;
        let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        let target = entry.link_name_bytes();
        let target = target.map(|it| String::from_utf8_lossy(&it).into_owned()).unwrap_or_default();
        let header = entry.header();
        let kind = match header.entry_type() {
            kind if kind.is_dir() => Kind::Folder,
            kind if kind.is_symlink() => Kind::Link(target),
            kind if kind.is_hard_link() => Kind::HardLink(target),
            kind if kind.is_file() || kind.is_contiguous() || kind.is_gnu_sparse() => Kind::File,
            kind if kind.is_pax_global_extensions() => continue,
            _ => Kind::Other,
        };
        let text =
            |bytes: Option<&[u8]>| String::from_utf8_lossy(bytes.unwrap_or_default()).into_owned();
        let number = |it: io::Result<u64>| it.ok().and_then(|it| u32::try_from(it).ok());
        let owner = Owner {
            uid: number(header.uid()).unwrap_or(0),
            gid: number(header.gid()).unwrap_or(0),
            user: text(header.username_bytes()),
            group: text(header.groupname_bytes()),
        };
        let member = Member {
            name: if kind == Kind::Folder && !name.ends_with('/') { name + "/" } else { name },
            mode: header.mode().ok().map(|it| it & 0o7777),
            owner: Some(owner),
            mtime: header.mtime().ok().and_then(|it| i64::try_from(it).ok()).unwrap_or(0),
            size: entry.size(),
            kind,
        };
        each(&member, &mut entry)?;
    }
    Ok(())
}

fn visit_zip<E: From<io::Error>>(mut file: File, each: Each<'_, E>) -> Result<(), E> {
    file.seek(SeekFrom::Start(0))?;
    let mut archive = ZipArchive::new(BufReader::new(file)).map_err(io::Error::other)?;
    let zone = TimeZone::system();
    for index in 0..archive.len() {
        let mut entry = archive.by_index(index).map_err(io::Error::other)?;
        let exact = entry.extra_data_fields().find_map(|it| match it {
            ExtraField::ExtendedTimestamp(times) => times.mod_time(),
            _ => None,
        });
        // Without exact times there is the local time, in steps of two seconds.
        let local = entry.last_modified().and_then(|it| {
            let small = |it: u8| i8::try_from(it).ok();
            let (year, month, day) =
                (i16::try_from(it.year()).ok()?, small(it.month())?, small(it.day())?);
            let (hour, minute, second) =
                (small(it.hour())?, small(it.minute())?, small(it.second())?);
            let moment = DateTime::new(year, month, day, hour, minute, second, 0).ok()?;
            Some(moment.to_zoned(zone.clone()).ok()?.timestamp().as_second())
        });
        let kind = if entry.is_dir() {
            Kind::Folder
        } else if entry.is_symlink() {
            let mut target = Vec::new();
            (&mut entry).take(4096).read_to_end(&mut target)?;
            Kind::Link(String::from_utf8_lossy(&target).into_owned())
        } else {
            Kind::File
        };
        let member = Member {
            name: entry.name().map_err(io::Error::other)?.into_owned(),
            kind,
            mode: entry.unix_mode().map(|it| it & 0o7777).filter(|it| *it != 0),
            owner: None,
            mtime: exact.map(i64::from).or(local).unwrap_or(0),
            size: entry.size(),
        };
        each(&member, &mut entry)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn formats_are_told_by_how_files_begin() {
        let check = |bytes: &[u8], expect: Option<Format>| {
            let mut file = tempfile::NamedTempFile::new().unwrap();
            file.write_all(bytes).unwrap();
            assert_eq!(Format::of(file.path()).unwrap(), expect);
        };
        check(b"text\n", None);
        check(b"", None);
        check(b"\x1f\x8bnot really", None);
        check(b"PK\x05\x06", Some(Format::Zip));
        let mut builder = tar::Builder::new(Vec::new());
        let mut header = tar::Header::new_gnu();
        header.set_size(2);
        header.set_mode(0o644);
        header.set_cksum();
        builder.append_data(&mut header, "a", &b"hi"[..]).unwrap();
        let bytes = builder.into_inner().unwrap();
        check(&bytes, Some(Format::Tar(Packing::None)));
        check(&[0; 1024], Some(Format::Tar(Packing::None)));
    }
}
