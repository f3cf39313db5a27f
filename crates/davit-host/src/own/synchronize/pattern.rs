//! rsync's patterns for names: `*` within a part of a path, `**` across parts, classes, and `/***`
//! for a folder with all that is in it.
//!
//! It does not know what a pattern is for.

/// A part of a pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Token {
    Byte(u8),
    /// Any but `/`.
    One,
    /// Any number but of `/`.
    Star,
    /// Any number.
    Stars,
    /// The name itself, and all beneath it: `/***` at the end.
    Beneath,
    /// One of these ranges, or none of them.
    Class(bool, Vec<(u8, u8)>),
}

/// The parts of a pattern.
pub(super) fn tokens(pattern: &[u8]) -> Vec<Token> {
    let (pattern, beneath) = match pattern.strip_suffix(b"/***") {
        Some(rest) => (rest, true),
        None => (pattern, false),
    };
    let wild = pattern.iter().any(|it| b"*?[".contains(it));
    let mut out = Vec::new();
    let mut at = 0;
    while let Some(byte) = pattern.get(at) {
        at += 1;
        out.push(match byte {
            b'*' if pattern.get(at) == Some(&b'*') => {
                while pattern.get(at) == Some(&b'*') {
                    at += 1;
                }
                Token::Stars
            }
            b'*' => Token::Star,
            b'?' => Token::One,
            b'[' => match class(&pattern[at..]) {
                Some((token, width)) => {
                    at += width;
                    token
                }
                None => Token::Byte(b'['),
            },
            b'\\' if wild && at < pattern.len() => {
                at += 1;
                Token::Byte(pattern[at - 1])
            }
            other => Token::Byte(*other),
        });
    }
    if beneath {
        out.push(Token::Beneath);
    }
    out
}

/// A class behind its `[`, and how long it is.
fn class(text: &[u8]) -> Option<(Token, usize)> {
    let negated = matches!(text.first(), Some(b'!' | b'^'));
    let begin = usize::from(negated);
    let mut at = begin;
    let mut ranges = Vec::new();
    loop {
        let byte = *text.get(at)?;
        if byte == b']' && at > begin {
            return Some((Token::Class(negated, ranges), at + 1));
        }
        if byte == b'[' && text.get(at + 1) == Some(&b':') {
            let rest = &text[at + 2..];
            let end = rest.windows(2).position(|it| it == b":]")?;
            ranges.extend_from_slice(named(&rest[..end])?);
            at += end + 4;
            continue;
        }
        let byte = if byte == b'\\' {
            at += 1;
            *text.get(at)?
        } else {
            byte
        };
        at += 1;
        match (text.get(at), text.get(at + 1)) {
            (Some(b'-'), Some(last)) if *last != b']' => {
                ranges.push((byte, *last));
                at += 2;
            }
            _ => ranges.push((byte, byte)),
        }
    }
}

fn named(name: &[u8]) -> Option<&'static [(u8, u8)]> {
    Some(match name {
        b"alnum" => &[(b'0', b'9'), (b'A', b'Z'), (b'a', b'z')],
        b"alpha" => &[(b'A', b'Z'), (b'a', b'z')],
        b"digit" => &[(b'0', b'9')],
        b"lower" => &[(b'a', b'z')],
        b"upper" => &[(b'A', b'Z')],
        b"space" => &[(b' ', b' '), (b'\t', b'\r')],
        b"xdigit" => &[(b'0', b'9'), (b'A', b'F'), (b'a', b'f')],
        b"punct" => &[(b'!', b'/'), (b':', b'@'), (b'[', b'`'), (b'{', b'~')],
        _ => return None,
    })
}

/// Whether all of `text` fits: every place that the pattern can have reached is kept, so that it
/// takes as long as both together are, and no longer.
pub(super) fn matches(pattern: &[Token], text: &[u8]) -> bool {
    if pattern.iter().all(|it| matches!(it, Token::Byte(_))) {
        return pattern.len() == text.len()
            && pattern.iter().zip(text).all(|(token, byte)| *token == Token::Byte(*byte));
    }
    let mut now = vec![false; pattern.len() + 1];
    let mut next = now.clone();
    now[0] = true;
    let empty = |states: &mut Vec<bool>| {
        for (at, token) in pattern.iter().enumerate() {
            if states[at] && matches!(token, Token::Star | Token::Stars) {
                states[at + 1] = true;
            }
        }
    };
    empty(&mut now);
    for (place, byte) in text.iter().enumerate() {
        next.iter_mut().for_each(|it| *it = false);
        for (at, token) in pattern.iter().enumerate().filter(|(at, _)| now[*at]) {
            match token {
                Token::Byte(wanted) if wanted == byte => next[at + 1] = true,
                Token::One if *byte != b'/' => next[at + 1] = true,
                Token::Star if *byte != b'/' => next[at] = true,
                Token::Stars => next[at] = true,
                Token::Class(negated, ranges) if *byte != b'/' => {
                    let inside = ranges.iter().any(|(first, last)| (first..=last).contains(&byte));
                    next[at + 1] |= inside != *negated;
                }
                Token::Beneath if *byte == b'/' && place > 0 => return true,
                _ => {}
            }
        }
        empty(&mut next);
        std::mem::swap(&mut now, &mut next);
    }
    let end = pattern.len();
    now[end] || (pattern.last() == Some(&Token::Beneath) && now[end - 1])
}
