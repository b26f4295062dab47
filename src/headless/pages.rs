//! `steadyhand completions` and `steadyhand man`: pages made from the definition of the command line.

use std::io;

use clap::Command;
use clap_complete::Shell;

use super::Out;
use crate::exit::Exit;
use crate::problem::Problem;

pub fn completions(mut command: Command, shell: Shell, out: &mut Out) -> Result<Exit, Problem> {
    let mut page = Vec::new();
    let name = command.get_name().to_owned();
    clap_complete::generate(shell, &mut command, name, &mut page);
    out.put(&String::from_utf8_lossy(&page))?;
    Ok(Exit::Clear)
}

/// One page: the program, then every subcommand with its options.
pub fn man(command: Command, out: &mut Out) -> Result<Exit, Problem> {
    let page = render(command).map_err(|error| Problem::system(error.to_string()))?;
    out.put(&String::from_utf8_lossy(&page))?;
    Ok(Exit::Clear)
}

fn render(mut command: Command) -> io::Result<Vec<u8>> {
    command.build();
    let mut page = Vec::new();
    let subcommands: Vec<Command> =
        command.get_subcommands().filter(|sub| sub.get_name() != "help").cloned().collect();
    let whole = clap_mangen::Man::new(command);
    whole.render_title(&mut page)?;
    whole.render_name_section(&mut page)?;
    whole.render_synopsis_section(&mut page)?;
    whole.render_description_section(&mut page)?;
    whole.render_options_section(&mut page)?;
    for subcommand in subcommands {
        let title = format!(".SH STEADYHAND {}\n", subcommand.get_name().to_uppercase());
        page.extend_from_slice(title.as_bytes());
        let man = clap_mangen::Man::new(subcommand);
        let mut section = Vec::new();
        man.render_description_section(&mut section)?;
        man.render_options_section(&mut section)?;
        // Sections of a subcommand are parts of its own section here.
        page.extend_from_slice(
            String::from_utf8_lossy(&section).replace("\n.SH ", "\n.SS ").as_bytes(),
        );
    }
    whole.render_extra_section(&mut page)?;
    whole.render_version_section(&mut page)?;
    Ok(page)
}
