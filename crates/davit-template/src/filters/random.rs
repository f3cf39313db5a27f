//! `random` and `shuffle`: Python's Mersenne Twister, so that a seed gives what it gives there.
//!
//! Without a seed the operating system is asked. Knows no cryptography.

use davit_value::{Value, ValueError};
use sha2::{Digest, Sha512};

use crate::Call;
use crate::call::Signature;

const SIZE: usize = 624;
const MIDDLE: usize = 397;

/// MT19937 as CPython seeds and reads it.
#[derive(Clone, Debug)]
pub struct Twister {
    state: [u32; SIZE],
    index: usize,
}

impl Twister {
    /// A generator from the words of a non-negative integer, least significant first.
    #[must_use]
    pub fn from_words(key: &[u32]) -> Self {
        let mut state = [0_u32; SIZE];
        state[0] = 19_650_218;
        for at in 1..SIZE {
            let before = state[at - 1];
            state[at] = 1_812_433_253_u32
                .wrapping_mul(before ^ (before >> 30))
                .wrapping_add(u32::try_from(at).unwrap_or(0));
        }
        let key = if key.is_empty() { &[0][..] } else { key };
        let (mut i, mut j) = (1, 0);
        for _ in 0..SIZE.max(key.len()) {
            let before = state[i - 1];
            state[i] = (state[i] ^ (before ^ (before >> 30)).wrapping_mul(1_664_525))
                .wrapping_add(key[j])
                .wrapping_add(u32::try_from(j).unwrap_or(0));
            i += 1;
            j += 1;
            if i >= SIZE {
                state[0] = state[SIZE - 1];
                i = 1;
            }
            if j >= key.len() {
                j = 0;
            }
        }
        for _ in 0..SIZE - 1 {
            let before = state[i - 1];
            state[i] = (state[i] ^ (before ^ (before >> 30)).wrapping_mul(1_566_083_941))
                .wrapping_sub(u32::try_from(i).unwrap_or(0));
            i += 1;
            if i >= SIZE {
                state[0] = state[SIZE - 1];
                i = 1;
            }
        }
        state[0] = 0x8000_0000;
        Self { state, index: SIZE }
    }

    /// A generator from a number of any size.
    #[must_use]
    pub fn from_int(seed: u128) -> Self {
        let mut words = Vec::new();
        let mut rest = seed;
        while rest > 0 {
            words.push(u32::try_from(rest & 0xffff_ffff).unwrap_or(0));
            rest >>= 32;
        }
        Self::from_words(&words)
    }

    /// A generator from a text: the text and its SHA-512, read as one number.
    #[must_use]
    pub fn from_text(seed: &str) -> Self {
        let mut bytes = seed.as_bytes().to_vec();
        bytes.extend_from_slice(&Sha512::digest(seed.as_bytes()));
        let mut words: Vec<u32> = bytes
            .rchunks(4)
            .map(|chunk| chunk.iter().fold(0_u32, |word, byte| word << 8 | u32::from(*byte)))
            .collect();
        while words.last() == Some(&0) {
            words.pop();
        }
        Self::from_words(&words)
    }

    /// A generator that nobody can foresee.
    #[must_use]
    pub fn unforeseen() -> Self {
        let mut bytes = [0_u8; 64];
        // Where the system has no randomness the address of a local is what is left.
        if getrandom::fill(&mut bytes).is_err() {
            let nanos = std::time::SystemTime::now()
                .duration_since(std::time::UNIX_EPOCH)
                .map_or(0, |it| it.as_nanos());
            return Self::from_int(nanos);
        }
        let words: Vec<u32> = bytes
            .chunks(4)
            .map(|it| it.iter().fold(0, |word, byte| word << 8 | u32::from(*byte)))
            .collect();
        Self::from_words(&words)
    }

    /// The generator that Python's `Random(seed)` is.
    ///
    /// # Errors
    /// For seeds that Python refuses.
    pub fn from_value(seed: Option<&Value>) -> Result<Self, ValueError> {
        match seed {
            None | Some(Value::Null) => Ok(Self::unforeseen()),
            Some(Value::Int(int)) => Ok(Self::from_int(int.unsigned_abs())),
            Some(Value::Bool(bool)) => Ok(Self::from_int(u128::from(*bool))),
            Some(Value::Str(text)) => Ok(Self::from_text(text)),
            Some(Value::Float(float)) => Ok(Self::from_int(float_hash(*float))),
            Some(_) => Err(ValueError::Type(
                "The only supported seed types are: None,\nint, float, str, bytes, and bytearray."
                    .into(),
            )),
        }
    }

    fn next(&mut self) -> u32 {
        if self.index >= SIZE {
            for at in 0..SIZE {
                let joined =
                    (self.state[at] & 0x8000_0000) | (self.state[(at + 1) % SIZE] & 0x7fff_ffff);
                let turned = joined >> 1 ^ if joined & 1 == 0 { 0 } else { 0x9908_b0df };
                self.state[at] = self.state[(at + MIDDLE) % SIZE] ^ turned;
            }
            self.index = 0;
        }
        let mut word = self.state[self.index];
        self.index += 1;
        word ^= word >> 11;
        word ^= word << 7 & 0x9d2c_5680;
        word ^= word << 15 & 0xefc6_0000;
        word ^ word >> 18
    }

    fn bits(&mut self, count: u32) -> u128 {
        let mut out = 0_u128;
        let mut at = 0;
        while at < count {
            let left = count - at;
            let word = if left < 32 { self.next() >> (32 - left) } else { self.next() };
            out |= u128::from(word) << at;
            at += 32;
        }
        out
    }

    /// A number below `bound`, which is not zero.
    pub fn below(&mut self, bound: u128) -> u128 {
        let count = u128::BITS - bound.leading_zeros();
        loop {
            let drawn = self.bits(count);
            if drawn < bound {
                return drawn;
            }
        }
    }

    /// An index below `length`, which is not zero.
    pub fn index(&mut self, length: usize) -> usize {
        usize::try_from(self.below(length as u128)).unwrap_or(0)
    }

    /// Puts the items in a new order.
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for at in (1..items.len()).rev() {
            let other = self.index(at + 1);
            items.swap(at, other);
        }
    }
}

/// The size of CPython's hash of a float: its value modulo the prime `2**61 - 1`.
fn float_hash(float: f64) -> u128 {
    const PRIME: u128 = (1 << 61) - 1;
    if !float.is_finite() {
        return if float.is_nan() { 0 } else { 314_159 };
    }
    let bits = float.abs().to_bits();
    let exponent = i32::try_from(bits >> 52 & 0x7ff).unwrap_or(0);
    let fraction = u128::from(bits & ((1 << 52) - 1));
    let (mantissa, power) =
        if exponent == 0 { (fraction, -1074) } else { (fraction | 1 << 52, exponent - 1075) };
    // Multiplying by two is a rotation of 61 bits, since 2**61 is 1 here.
    let turn = power.rem_euclid(61).cast_unsigned();
    let value = mantissa % PRIME;
    (value << turn) % PRIME
}

fn empty(start: i128, stop: i128) -> ValueError {
    ValueError::Value(format!("empty range for randrange() ({start}, {stop}, {})", stop - start))
}

pub(super) fn random(call: &Call<'_>) -> Result<Value, ValueError> {
    let bound = call.bind_as(
        Signature {
            name: "rand",
            params: &["end", "start", "step", "seed"],
            required: 1,
            hidden: 1,
        },
        false,
    )?;
    let mut twister = Twister::from_value(bound.get(3))?;
    let given = |at: usize| -> Result<Option<i128>, ValueError> {
        bound
            .some(at)
            .map(crate::call::index_of)
            .transpose()
            .map(|it| it.filter(|number| *number != 0))
    };
    match bound.value(0) {
        Value::Int(stop) => {
            let (start, step) = (given(1)?.unwrap_or(0), given(2)?.unwrap_or(1));
            let width = stop.checked_sub(start).ok_or_else(|| empty(0, 0))?;
            let count = if step == 1 {
                width
            } else if step > 0 {
                (width + step - 1).div_euclid(step)
            } else {
                (width + step + 1).checked_div_euclid(step).unwrap_or(0)
            };
            if count <= 0 {
                return Err(if step == 1 {
                    empty(start, stop)
                } else {
                    ValueError::Value("empty range for randrange()".into())
                });
            }
            let drawn = i128::try_from(twister.below(count.unsigned_abs())).unwrap_or(0);
            Ok(Value::Int(start + step * drawn))
        }
        value @ (Value::List(_)
        | Value::Tuple(_)
        | Value::Str(_)
        | Value::Map(_)
        | Value::Object(_)) => {
            if bound.some(1).is_some() || bound.some(2).is_some() {
                return Err(ValueError::Type(
                    "start and step can only be used with integer values".into(),
                ));
            }
            let items = call.items(&value)?;
            if items.is_empty() {
                return Err(ValueError::Value("Cannot choose from an empty sequence".into()));
            }
            let at = twister.index(items.len());
            match &value {
                Value::Map(map) => map
                    .get_key(&davit_value::Key::Int(at as i128))
                    .cloned()
                    .ok_or_else(|| ValueError::Value(at.to_string())),
                _ => Ok(items[at].clone()),
            }
        }
        _ => Err(ValueError::Type("random can only be used on sequences and integers".into())),
    }
}

pub(super) fn shuffle(call: &Call<'_>) -> Result<Value, ValueError> {
    let bound = call.bind_lazy("randomize_list", &["mylist", "seed"], 1)?;
    let value = bound.value(0);
    let Ok(mut items) = call.items(&value) else { return Ok(value) };
    let seed = bound.get(1).filter(|seed| seed.truthy().unwrap_or(false));
    Twister::from_value(seed)?.shuffle(&mut items);
    Ok(Value::list(items))
}

#[cfg(test)]
mod tests {
    use super::{Twister, float_hash};

    /// The numbers are CPython's `Random(seed).randrange(bound)`.
    #[test]
    fn draws_what_python_draws() {
        let check = |mut twister: Twister, bound: u128, expect: u128| {
            assert_eq!(twister.below(bound), expect);
        };
        check(Twister::from_text("x"), 10, 5);
        check(Twister::from_int(3), 10, 3);
        check(Twister::from_text("q"), 1_000_000_000_000, 39_761_392_902);
        check(Twister::from_int(99_999_999_999_999_999_999_999), 1000, 699);
        check(Twister::from_text(""), 1000, 983);
        check(Twister::from_int(float_hash(1.5)), 10, 8);
        let mut items = [1, 2, 3, 4, 5, 6];
        Twister::from_text("x").shuffle(&mut items);
        assert_eq!(items, [5, 2, 1, 4, 3, 6]);
    }
}
