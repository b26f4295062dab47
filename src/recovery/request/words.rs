//! The words of a digest, so that two people can compare it by voice: short, common, and no two that
//! begin alike or sound alike.

use crate::digest::sha256;

/// The first bytes of the digest, one word each.
pub fn words(bytes: &[u8]) -> String {
    const WORDS_SAID: usize = 4;
    let digest = sha256(bytes);
    let byte = |at: usize| u8::from_str_radix(&digest[2 * at..2 * at + 2], 16);
    let said: Vec<&str> = (0..WORDS_SAID)
        .map(|at| WORDS[usize::from(byte(at).expect("a digest is hexadecimal"))])
        .collect();
    said.join(" ")
}

#[rustfmt::skip]
const WORDS: [&str; 256] = [
    "abacus", "academy", "acid", "acorn", "agent", "album", "alley", "almond", "amber", "anchor",
    "angle", "arrow", "atlas", "autumn", "badge", "bamboo", "bandit", "banjo", "barrel", "basket",
    "beacon", "beaver", "biscuit", "bishop", "blossom", "bonfire", "border", "bottle", "bronze",
    "brother", "buffalo", "bullet", "buzzard", "cabin", "cactus", "calendar", "camel", "canyon",
    "carpet", "castle", "cedar", "cement", "champion", "chicken", "chimney", "circus", "clarinet",
    "clover", "cobalt", "coconut", "coffee", "compass", "concert", "copper", "cotton", "cousin",
    "cradle", "crystal", "curtain", "cushion", "cyclone", "dagger", "daisy", "delta", "denim",
    "desert", "diamond", "dinner", "dolphin", "domino", "doorbell", "dragon", "drummer", "echo",
    "eclipse", "elbow", "elder", "elephant", "emerald", "engine", "envoy", "farmer", "feather",
    "ferry", "festival", "fiddle", "filter", "flamingo", "flannel", "fortune", "fossil",
    "fountain", "fox", "freight", "frost", "furnace", "galaxy", "garden", "garlic", "gazelle",
    "geyser", "giraffe", "glacier", "goblet", "guitar", "gypsum", "hamster", "harbor", "helmet",
    "hickory", "honey", "horizon", "hunter", "iceberg", "icicle", "igloo", "indigo", "infant",
    "inkwell", "insect", "iron", "island", "ivory", "jaguar", "jasmine", "jelly", "jewel",
    "jigsaw", "jockey", "journal", "juniper", "kangaroo", "kayak", "kernel", "kidney", "kimono",
    "kitchen", "kiwi", "knight", "koala", "ladder", "lagoon", "lantern", "lemon", "leopard",
    "library", "lily", "lizard", "lobster", "lynx", "magnet", "mammoth", "maple", "meadow",
    "mercury", "mirror", "mitten", "mosaic", "muffin", "mustard", "mystery", "napkin", "nectar",
    "needle", "nickel", "nomad", "nugget", "nutmeg", "oasis", "object", "ocean", "octopus",
    "olive", "omelet", "onion", "opal", "orbit", "orchid", "ostrich", "otter", "oxygen", "pancake",
    "panda", "paper", "peanut", "pebble", "pelican", "pencil", "phoenix", "piano", "pigeon",
    "pillow", "pirate", "plasma", "poplar", "prairie", "pretzel", "pumpkin", "puzzle", "pyramid",
    "quartz", "quilt", "quiver", "rabbit", "radish", "rainbow", "raven", "rhubarb", "ribbon",
    "ruby", "shovel", "sketch", "snowman", "spider", "spinach", "sponge", "squirrel", "stable",
    "sugar", "summit", "sunset", "syrup", "talon", "teapot", "temple", "thermos", "thistle",
    "tiger", "tomato", "tornado", "tractor", "trumpet", "tulip", "tunnel", "turtle", "umbrella",
    "umpire", "unicorn", "utensil", "vanilla", "vessel", "vinegar", "violin", "volcano", "vulture",
    "waffle", "walnut", "wedding", "whisker", "window", "yogurt", "zebra", "zephyr", "zigzag",
    "zinc", "zoology",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn four_words_tell_two_requests_apart() {
        assert_eq!(words(b"abc").split(' ').count(), 4);
        assert_ne!(words(b"abc"), words(b"abd"));
    }

    #[test]
    fn no_two_words_can_be_taken_for_each_other() {
        for (at, word) in WORDS.iter().enumerate() {
            assert!(word.chars().all(|c| c.is_ascii_lowercase()) && word.len() <= 8, "{word}");
            for other in &WORDS[at + 1..] {
                assert!(strsim::levenshtein(word, other) >= 3, "{word} {other}");
                assert!(word.get(..4) != other.get(..4), "{word} {other}");
            }
        }
    }
}
