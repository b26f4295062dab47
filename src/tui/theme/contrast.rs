//! Whether what a theme says can be read: contrast as WCAG 2.1 counts it, and how colours look to eyes
//! that lack one kind of cone. For the tests of the themes.

use ratatui::style::Color;

use super::depth::{Depth, basic, rgb};
use super::{Ground, Role, Theme};

type Rgb = (u8, u8, u8);

/// The first sixteen colours as terminals ship them: xterm, the console of a PC, GNOME, Windows.
const PALETTES: [(&str, [u32; 16]); 4] = [
    (
        "xterm",
        [
            0x00_0000, 0xcd_0000, 0x00_cd00, 0xcd_cd00, 0x00_00ee, 0xcd_00cd, 0x00_cdcd, 0xe5_e5e5,
            0x7f_7f7f, 0xff_0000, 0x00_ff00, 0xff_ff00, 0x5c_5cff, 0xff_00ff, 0x00_ffff, 0xff_ffff,
        ],
    ),
    (
        "vga",
        [
            0x00_0000, 0xaa_0000, 0x00_aa00, 0xaa_5500, 0x00_00aa, 0xaa_00aa, 0x00_aaaa, 0xaa_aaaa,
            0x55_5555, 0xff_5555, 0x55_ff55, 0xff_ff55, 0x55_55ff, 0xff_55ff, 0x55_ffff, 0xff_ffff,
        ],
    ),
    (
        "tango",
        [
            0x00_0000, 0xcc_0000, 0x4e_9a06, 0xc4_a000, 0x34_65a4, 0x75_507b, 0x06_989a, 0xd3_d7cf,
            0x55_5753, 0xef_2929, 0x8a_e234, 0xfc_e94f, 0x72_9fcf, 0xad_7fa8, 0x34_e2e2, 0xee_eeec,
        ],
    ),
    (
        "campbell",
        [
            0x0c_0c0c, 0xc5_0f1f, 0x13_a10e, 0xc1_9c00, 0x00_37da, 0x88_1798, 0x3a_96dd, 0xcc_cccc,
            0x76_7676, 0xe7_4856, 0x16_c60c, 0xf9_f1a5, 0x3b_78ff, 0xb4_009e, 0x61_d6d6, 0xf2_f2f2,
        ],
    ),
];

/// Grounds that people have: black, two greys of editors, and the two of Solarized; white and paper.
const DARK: [Rgb; 4] = [(0, 0, 0), (0x1e, 0x1e, 0x1e), (0x28, 0x28, 0x28), (0, 0x2b, 0x36)];
const LIGHT: [Rgb; 3] = [(255, 255, 255), (0xf6, 0xf6, 0xf6), (0xfd, 0xf6, 0xe3)];

fn of_hex(hex: u32) -> Rgb {
    let [_, r, g, b] = hex.to_be_bytes();
    (r, g, b)
}

/// What a terminal with this palette shows.
fn shown(color: Color, palette: &[u32; 16]) -> Option<Rgb> {
    match color {
        Color::Rgb(r, g, b) => Some((r, g, b)),
        Color::Indexed(index) if index >= 16 => Some(rgb(index)),
        named => (0..16).find(|at| basic(*at) == named).map(|at| of_hex(palette[usize::from(at)])),
    }
}

fn linear(channel: u8) -> f64 {
    let c = f64::from(channel) / 255.0;
    if c <= 0.040_45 { c / 12.92 } else { ((c + 0.055) / 1.055).powf(2.4) }
}

fn luminance((r, g, b): Rgb) -> f64 {
    0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b)
}

pub fn contrast(one: Rgb, other: Rgb) -> f64 {
    let (a, b) = (luminance(one) + 0.05, luminance(other) + 0.05);
    if a > b { a / b } else { b / a }
}

/// Machado, Oliveira and Fernandes 2009: what is left of a colour without one kind of cone.
const BLIND: [(&str, [[f64; 3]; 3]); 4] = [
    ("full sight", [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]),
    (
        "protanopia",
        [
            [0.152_286, 1.052_583, -0.204_868],
            [0.114_503, 0.786_281, 0.099_216],
            [-0.003_882, -0.048_116, 1.051_998],
        ],
    ),
    (
        "deuteranopia",
        [
            [0.367_322, 0.860_646, -0.227_968],
            [0.280_085, 0.672_501, 0.047_413],
            [-0.011_820, 0.042_940, 0.968_881],
        ],
    ),
    (
        "tritanopia",
        [
            [1.255_528, -0.076_749, -0.178_779],
            [-0.078_411, 0.930_809, 0.147_602],
            [0.004_733, 0.691_367, 0.303_900],
        ],
    ),
];

/// CIE L*a*b* of linear light.
#[allow(clippy::many_single_char_names)] // the letters of the standard
fn lab([r, g, b]: [f64; 3]) -> [f64; 3] {
    let x = (0.4124 * r + 0.3576 * g + 0.1805 * b) / 0.9505;
    let y = 0.2126 * r + 0.7152 * g + 0.0722 * b;
    let z = (0.0193 * r + 0.1192 * g + 0.9505 * b) / 1.089;
    let f = |t: f64| if t > 0.008_856 { t.cbrt() } else { 7.787 * t + 16.0 / 116.0 };
    [116.0 * f(y) - 16.0, 500.0 * (f(x) - f(y)), 200.0 * (f(y) - f(z))]
}

/// How far two colours are apart to such an eye; about 2 is the least that can be seen side by side.
fn apart(one: Rgb, other: Rgb, eye: &[[f64; 3]; 3]) -> f64 {
    let seen = |(r, g, b): Rgb| {
        let light = [linear(r), linear(g), linear(b)];
        let through = |row: &[f64; 3]| {
            row.iter().zip(light).map(|(part, light)| part * light).sum::<f64>().clamp(0.0, 1.0)
        };
        lab([through(&eye[0]), through(&eye[1]), through(&eye[2])])
    };
    seen(one).iter().zip(seen(other)).map(|(a, b)| (a - b).powi(2)).sum::<f64>().sqrt()
}

fn themes() -> impl Iterator<Item = (&'static str, Theme, Depth)> {
    Theme::names().flat_map(|name| {
        [Depth::Sixteen, Depth::Indexed, Depth::True].map(|depth| {
            let theme = Theme::built_in(name, depth).expect("built in");
            (name, theme, depth)
        })
    })
}

#[test]
fn the_scale_is_that_of_wcag() {
    assert!((contrast((0, 0, 0), (255, 255, 255)) - 21.0).abs() < 0.01);
    assert!((contrast((0x76, 0x76, 0x76), (255, 255, 255)) - 4.54).abs() < 0.01);
}

#[test]
fn every_role_of_every_theme_can_be_read_on_the_grounds_it_is_for() {
    let mut faint = Vec::new();
    for (name, theme, depth) in themes() {
        for (palette, colors) in &PALETTES {
            let grounds = match (theme.ground, depth) {
                (Ground::Any, _) => continue,
                // With sixteen colours the ground is one of them.
                (Ground::Dark, Depth::Sixteen) => vec![of_hex(colors[0])],
                (Ground::Light, Depth::Sixteen) => vec![(255, 255, 255)],
                (Ground::Dark, _) => DARK.to_vec(),
                (Ground::Light, _) => LIGHT.to_vec(),
            };
            for (role, word) in Role::ALL {
                let style = theme.style(*role);
                let Some(ink) = style.fg.and_then(|color| shown(color, colors)) else {
                    assert_eq!(style.bg, None, "{word} of {name} has a ground and no ink");
                    continue;
                };
                // Borders are no text: what they part is told by the gap as well.
                let least = match *role {
                    Role::Border => 3.0,
                    _ if name.starts_with("high-contrast") && depth != Depth::Sixteen => 7.0,
                    _ => 4.5,
                };
                let filled = style.bg.and_then(|color| shown(color, colors));
                for ground in filled.map_or(grounds.clone(), |filled| vec![filled]) {
                    let ratio = contrast(ink, ground);
                    if ratio < least {
                        faint.push(format!(
                            "{name} {depth:?} {palette}: {word} {ratio:.2} on {ground:?}"
                        ));
                    }
                }
            }
        }
    }
    faint.dedup();
    assert!(faint.is_empty(), "hard to read:\n{}", faint.join("\n"));
}

/// States are told by sign and word everywhere; in these themes the colours alone would do.
#[test]
fn states_differ_to_eyes_without_one_kind_of_cone() {
    let states = [Role::Ok, Role::Warning, Role::Danger, Role::Unknown];
    let mut alike = Vec::new();
    for (name, theme, depth) in themes() {
        if depth == Depth::Sixteen || theme.ground == Ground::Any {
            continue;
        }
        let least = if name.starts_with("colour-blind") { 22.0 } else { 12.0 };
        for (eye, cones) in &BLIND {
            for (at, one) in states.iter().enumerate() {
                for other in &states[..at] {
                    let color = |role: Role| {
                        let color = theme.style(role).fg.expect("a state has a colour");
                        shown(color, &PALETTES[0].1).expect("of a palette")
                    };
                    let far = apart(color(*one), color(*other), cones);
                    if far < least {
                        alike.push(format!("{name} {depth:?} {eye}: {one:?} {other:?} {far:.1}"));
                    }
                }
            }
        }
    }
    assert!(alike.is_empty(), "too much alike:\n{}", alike.join("\n"));
}
