//! `steadyhand themes`: the themes inside the binary, and which one is set.

use super::Out;
use crate::exit::Exit;
use crate::problem::Problem;

pub fn run(names: &[&str], set: &str, out: &mut Out) -> Result<Exit, Problem> {
    for name in names {
        let mark = if *name == set { "* " } else { "  " };
        out.put(&format!("{mark}{name}\n"))?;
    }
    if !names.contains(&set) {
        out.put(&format!("* {}\n", crate::value::visible::text(set)))?;
    }
    Ok(Exit::Clear)
}
