//! `--start-at-task`: passing over what comes before a task.

use crate::cursor::Cursor;
use crate::strategy::Batch;
use crate::tree::Task;

impl Batch {
    /// Moves every host to the first task that the user named; to the end where this play has
    /// none. The first `keep` tasks of the play, its fact gathering, run all the same.
    pub(crate) fn skip_to_start(&mut self, keep: usize) {
        let Some(wanted) = self.world.settings.start_at_task.clone() else { return };
        let mut found = false;
        for cursor in self.cursors.values_mut() {
            let mut ahead = cursor.clone();
            let kept = std::iter::repeat_n((), keep).filter(|()| pass(&mut ahead)).count();
            while let Some((_, task)) = ahead.next() {
                if is_named(&task, &wanted) {
                    found = true;
                    break;
                }
                ahead.advance();
            }
            cursor.jump(kept, ahead);
        }
        if found {
            self.world.start_found();
        }
    }
}

fn pass(cursor: &mut Cursor) -> bool {
    let there = cursor.next().is_some();
    cursor.advance();
    there
}

/// By its name, or by its name with its role's; `*` and `?` stand for any text and any character.
fn is_named(task: &Task, wanted: &str) -> bool {
    let Some(name) = task.name().map(davit_value::Value::to_str) else { return false };
    let full = task.role().map(|role| format!("{} : {name}", role.name));
    [Some(name), full].iter().flatten().any(|it| matches(it.as_bytes(), wanted.as_bytes()))
}

fn matches(text: &[u8], pattern: &[u8]) -> bool {
    let (mut at, mut star) = ((0, 0), None);
    while at.0 < text.len() {
        match pattern.get(at.1) {
            Some(b'*') => {
                star = Some(at);
                at.1 += 1;
            }
            Some(char) if *char == b'?' || *char == text[at.0] => at = (at.0 + 1, at.1 + 1),
            _ => match star {
                Some((from, place)) => {
                    star = Some((from + 1, place));
                    at = (from + 1, place + 1);
                }
                None => return false,
            },
        }
    }
    pattern[at.1..].iter().all(|it| *it == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_whole_names() {
        for (text, pattern, hit) in [
            ("install web", "install web", true),
            ("install web", "install*", true),
            ("install web", "*web", true),
            ("install web", "in?tall *", true),
            ("install web", "web", false),
            ("", "*", true),
            ("", "?", false),
        ] {
            assert_eq!(matches(text.as_bytes(), pattern.as_bytes()), hit, "{text} {pattern}");
        }
    }
}
