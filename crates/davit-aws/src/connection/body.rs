//! What is sent as a body: bytes, a part of a file, or a stream. Knows nothing of requests.

use std::{
    error::Error,
    fmt, io,
    path::PathBuf,
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll, ready},
    time::{Duration, Instant},
};

use bytes::Bytes;
use futures_util::{Stream, StreamExt as _};
use hyper::body::{Frame, SizeHint};

use super::file::Reader;

/// A body to be sent.
#[derive(Default)]
pub enum Body {
    /// Nothing.
    #[default]
    Empty,
    /// What is there as a whole.
    Bytes(Bytes),
    /// A part of a file, which can be read again when a call is tried again.
    File(FilePart),
    /// What comes from elsewhere, once, and how long it is if that is known.
    Stream {
        /// Its pieces.
        pieces: Pieces,
        /// Its length in bytes.
        length: Option<u64>,
    },
}

/// The pieces of a body.
pub struct Pieces(Mutex<Pin<Box<dyn Stream<Item = io::Result<Bytes>> + Send>>>);

impl Pieces {
    /// Pieces from anywhere.
    #[must_use]
    pub fn new(pieces: impl Stream<Item = io::Result<Bytes>> + Send + 'static) -> Self {
        // Whoever reads it may ask once more at its end.
        Self(Mutex::new(Box::pin(pieces.fuse())))
    }
}

impl Stream for Pieces {
    type Item = io::Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let pieces = self.0.get_mut().unwrap_or_else(std::sync::PoisonError::into_inner);
        pieces.as_mut().poll_next(context)
    }
}

/// A part of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FilePart {
    /// The file.
    pub path: PathBuf,
    /// Where the part begins.
    pub from: u64,
    /// How long it is.
    pub length: u64,
}

impl fmt::Debug for Body {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => to.write_str("Empty"),
            Self::Bytes(bytes) => write!(to, "Bytes({})", bytes.len()),
            Self::File(part) => part.fmt(to),
            Self::Stream { length, .. } => write!(to, "Stream({length:?})"),
        }
    }
}

impl Body {
    /// Its length, if that is known.
    #[must_use]
    pub fn length(&self) -> Option<u64> {
        match self {
            Self::Empty => Some(0),
            Self::Bytes(bytes) => Some(bytes.len() as u64),
            Self::File(part) => Some(part.length),
            Self::Stream { length, .. } => *length,
        }
    }

    /// The same once more; nothing for what comes only once.
    #[must_use]
    pub fn again(&self) -> Option<Self> {
        match self {
            Self::Empty => Some(Self::Empty),
            Self::Bytes(bytes) => Some(Self::Bytes(bytes.clone())),
            Self::File(part) => Some(Self::File(part.clone())),
            Self::Stream { .. } => None,
        }
    }
}

impl Body {
    /// Its pieces, one after the other.
    pub(crate) async fn pieces(self) -> io::Result<Pieces> {
        let mut sending = Sending::open(self).await?;
        Ok(Pieces::new(futures_util::stream::poll_fn(move |context| {
            let piece = ready!(sending.poll_piece(context));
            if let (Some(Ok(piece)), Some(left)) = (&piece, &mut sending.left) {
                *left = left.saturating_sub(piece.len() as u64);
            }
            Poll::Ready(piece)
        })))
    }
}

/// How much of a body is handed on at once, so that a slow line is told from a dead one.
const PIECE: usize = 64 << 10;

/// A body on its way.
pub(crate) struct Sending {
    source: Source,
    left: Option<u64>,
    progress: Progress,
}

enum Source {
    Bytes(Bytes),
    File(Reader),
    /// With the piece that makes it complete, which waits until it is known that no other follows.
    Stream(Pieces, Option<Bytes>),
}

/// When a piece of a body was last handed on.
#[derive(Clone)]
pub(crate) struct Progress {
    from: Instant,
    millis: Arc<AtomicU64>,
}

impl Progress {
    /// When it was.
    pub(crate) fn last(&self) -> Instant {
        self.from + Duration::from_millis(self.millis.load(Ordering::Relaxed))
    }

    fn note(&self) {
        let millis = u64::try_from(self.from.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.millis.store(millis, Ordering::Relaxed);
    }
}

impl Sending {
    /// Opens what is to be sent.
    pub(super) async fn open(body: Body) -> io::Result<Self> {
        let left = body.length();
        let source = match body {
            Body::Empty => Source::Bytes(Bytes::new()),
            Body::Bytes(bytes) => Source::Bytes(bytes),
            Body::File(part) => Source::File(Reader::open(part).await?),
            Body::Stream { pieces, .. } => Source::Stream(pieces, None),
        };
        let progress = Progress { from: Instant::now(), millis: Arc::default() };
        Ok(Self { source, left, progress })
    }

    /// What tells when a piece was last handed on.
    pub(super) fn progress(&self) -> Progress {
        self.progress.clone()
    }

    fn poll_piece(&mut self, context: &mut Context<'_>) -> Poll<Option<io::Result<Bytes>>> {
        match &mut self.source {
            Source::Bytes(bytes) => {
                let piece = bytes.split_to(bytes.len().min(PIECE));
                Poll::Ready((!piece.is_empty()).then_some(Ok(piece)))
            }
            Source::File(reader) => reader.poll_piece(PIECE, context),
            Source::Stream(pieces, last) => poll_stream(pieces, last, self.left, context),
        }
    }
}

/// The next piece of a stream that keeps to its length. A connection would send no more than was
/// announced and say nothing of the rest.
fn poll_stream(
    pieces: &mut Pieces,
    last: &mut Option<Bytes>,
    left: Option<u64>,
    context: &mut Context<'_>,
) -> Poll<Option<io::Result<Bytes>>> {
    loop {
        let piece = match ready!(Pin::new(&mut *pieces).poll_next(context)) {
            Some(Ok(piece)) if piece.is_empty() => continue,
            Some(Ok(piece)) => piece,
            Some(Err(error)) => return Poll::Ready(Some(Err(error))),
            None => {
                let short = last.is_none() && left.is_some_and(|it| it > 0);
                return Poll::Ready(if short { Some(misfit("less")) } else { last.take().map(Ok) });
            }
        };
        match left {
            Some(left) if last.is_some() || piece.len() as u64 > left => {
                return Poll::Ready(Some(misfit("more")));
            }
            Some(left) if piece.len() as u64 == left => *last = Some(piece),
            _ => return Poll::Ready(Some(Ok(piece))),
        }
    }
}

fn misfit<T>(what: &str) -> io::Result<T> {
    Err(io::Error::new(io::ErrorKind::InvalidData, format!("{what} came than was announced")))
}

impl hyper::body::Body for Sending {
    type Data = Bytes;
    type Error = Unreadable;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Unreadable>>> {
        let piece = ready!(self.poll_piece(context));
        self.progress.note();
        Poll::Ready(match piece {
            None => None,
            Some(Ok(piece)) => {
                if let Some(left) = &mut self.left {
                    *left = left.saturating_sub(piece.len() as u64);
                }
                Some(Ok(Frame::data(piece)))
            }
            Some(Err(error)) => Some(Err(Unreadable(error))),
        })
    }

    fn is_end_stream(&self) -> bool {
        self.left == Some(0)
    }

    fn size_hint(&self) -> SizeHint {
        self.left.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}

/// What was to be sent could not be read.
#[derive(Debug, thiserror::Error)]
#[error("the body to be sent cannot be read")]
pub(crate) struct Unreadable(#[source] io::Error);

/// The error of reading what was to be sent, if that is why a call failed.
pub(super) fn unreadable(error: &(dyn Error + 'static)) -> Option<io::Error> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(Unreadable(error)) = error.downcast_ref() {
            return Some(io::Error::new(error.kind(), error.to_string()));
        }
        next = error.source();
    }
    None
}
