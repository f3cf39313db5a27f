//! Shell patterns, held against names that are no paths. Knows no files.

/// Whether a text is what a shell's pattern says: `*`, `?`, `[a-z]`, `[!a-z]`; a slash is a character as
/// any other.
pub(crate) fn fits(text: &str, pattern: &str) -> bool {
    let text: Vec<char> = text.chars().collect();
    let pattern: Vec<char> = pattern.chars().collect();
    let (mut at, mut of) = (0, 0);
    // The last star, and how far the text was when it took nothing.
    let mut star: Option<(usize, usize)> = None;
    loop {
        let taken = match pattern.get(of) {
            Some('*') => {
                star = Some((of, at));
                of += 1;
                continue;
            }
            None if at == text.len() => return true,
            None => None,
            Some(wanted) => text.get(at).and_then(|it| one(*it, *wanted, &pattern[of..])),
        };
        match (taken, star) {
            (Some(length), _) => {
                at += 1;
                of += length;
            }
            // The star takes one more.
            (None, Some((place, from))) if from < text.len() => {
                star = Some((place, from + 1));
                at = from + 1;
                of = place + 1;
            }
            _ => return false,
        }
    }
}

/// How much of the pattern a character uses up; nothing if it does not fit.
fn one(letter: char, wanted: char, pattern: &[char]) -> Option<usize> {
    let class = (wanted == '[').then(|| {
        // A bracket right behind the first belongs to the class.
        let from = if pattern.get(1) == Some(&'!') { 2 } else { 1 };
        let end = pattern.iter().skip(from + 1).position(|it| *it == ']')? + from + 1;
        Some((from, end))
    });
    let Some((from, end)) = class.flatten() else {
        return (wanted == '?' || wanted == letter).then_some(1);
    };
    let mut letters = &pattern[from..end];
    let mut there = false;
    while let [first, rest @ ..] = letters {
        (there, letters) = match rest {
            ['-', last, rest @ ..] => (there || (*first..=*last).contains(&letter), rest),
            rest => (there || *first == letter, rest),
        };
    }
    (there == (from == 1)).then_some(end + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_those_of_shells() {
        for (text, pattern, fit) in [
            ("a/b.txt", "*.txt", true),
            ("a", "?", true),
            ("", "*", true),
            ("", "?", false),
            ("abc", "a*c", true),
            ("abcb", "a*c", false),
            ("b", "[a-c]", true),
            ("b", "[!a-c]", false),
            ("]", "[]]", true),
            ("[a", "[a", true),
            ("aXbXc", "*X*X*", true),
        ] {
            assert_eq!(fits(text, pattern), fit, "{text} {pattern}");
        }
    }
}
