//! `steadyhand completions` and `steadyhand man`: pages made from the definition of the command line.

use std::io;

use clap::Command;
use clap_complete::Shell;

use super::Out;
use super::chosen::known;
use crate::exit::Exit;
use crate::problem::Problem;

pub fn completions(mut command: Command, shell: Shell, out: &mut Out) -> Result<Exit, Problem> {
    let mut page = Vec::new();
    let name = command.get_name().to_owned();
    clap_complete::generate(shell, &mut command, name, &mut page);
    out.put(&String::from_utf8_lossy(&page))?;
    Ok(Exit::Clear)
}

/// Which manual page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Page<'a> {
    /// The program, then every subcommand with its options.
    All,
    Of(&'a str),
    /// No page, but the names of those that there are.
    List,
}

pub fn man(mut command: Command, page: Page<'_>, out: &mut Out) -> Result<Exit, Problem> {
    command.build();
    let others = command.get_subcommands().map(|sub| sub.get_name().to_owned());
    let names: Vec<String> = others.filter(|name| name != "help").collect();
    let rendered = match page {
        Page::All => render(command),
        Page::List => Ok((names.join("\n") + "\n").into_bytes()),
        Page::Of(wanted) => {
            let all: Vec<&str> = names.iter().map(String::as_str).collect();
            known(wanted, &all, "command")?;
            let found = command.get_subcommands().find(|sub| sub.get_name() == wanted);
            of_one(found.expect("it is among the names").clone())
        }
    };
    let page = rendered.map_err(|error| Problem::system(error.to_string()))?;
    out.put(&String::from_utf8_lossy(&page))?;
    Ok(Exit::Clear)
}

fn of_one(command: Command) -> io::Result<Vec<u8>> {
    let name = format!("steadyhand-{}", command.get_name());
    let mut page = Vec::new();
    clap_mangen::Man::new(command.display_name(name)).render(&mut page)?;
    Ok(page)
}

fn render(command: Command) -> io::Result<Vec<u8>> {
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
