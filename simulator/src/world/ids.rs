//! Ids and eTags that look random and are not: the same seed gives the same ones.

/// Makes ids, one after the other.
#[derive(Clone, Debug)]
pub(crate) struct Ids {
    state: u64,
}

impl Ids {
    pub(crate) const fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    /// The next id, in the form of a random UUID.
    pub(crate) fn next(&mut self) -> String {
        let (high, low) = (self.word(), self.word());
        uuid(high, low)
    }

    /// Splitmix64.
    fn word(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.state)
    }
}

/// The next word of a sequence that its first one settles.
pub(crate) const fn next_word(state: u64) -> u64 {
    mix(state.wrapping_add(0x9e37_79b9_7f4a_7c15))
}

fn uuid(high: u64, low: u64) -> String {
    format!(
        "{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}",
        high >> 32,
        (high >> 16) & 0xffff,
        high & 0xfff,
        0x8000 | ((low >> 48) & 0x3fff),
        low & 0xffff_ffff_ffff
    )
}

/// The id of something of that name, the same whenever it is asked for.
pub(crate) fn uuid_of(name: &str) -> String {
    let hash = hash(name);
    uuid(mix(hash), mix(hash ^ u64::MAX))
}

/// 24 hexadecimal digits that stay the same for a name.
pub(crate) fn object_id_of(name: &str) -> String {
    let hash = hash(name);
    format!("{:016x}{:08x}", mix(hash), mix(hash ^ u64::MAX) >> 32)
}

const fn mix(word: u64) -> u64 {
    let word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ (word >> 31)
}

/// Eight digits that stay the same for a name, as in the names of AKS scale sets.
pub(crate) fn eight_digits(name: &str) -> u32 {
    let digits = 10_000_000 + mix(hash(name)) % 90_000_000;
    u32::try_from(digits).unwrap_or(10_000_000)
}

/// FNV-1a.
fn hash(name: &str) -> u64 {
    name.bytes()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_look_like_random_uuids_and_repeat_with_the_seed() {
        let (mut one, mut two) = (Ids::new(7), Ids::new(7));
        let id = one.next();
        assert_eq!(id, two.next());
        assert_ne!(id, one.next());
        assert_eq!(id.len(), 36);
        assert_eq!(id.as_bytes()[14], b'4');
        assert_eq!(eight_digits("a").to_string().len(), 8);
        assert_eq!(uuid_of("a"), uuid_of("a"));
        assert_ne!(uuid_of("a"), uuid_of("b"));
        assert_eq!((uuid_of("a").len(), object_id_of("a").len()), (36, 24));
    }
}
