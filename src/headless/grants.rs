//! `steadyhand grants`: the SQL of the roles that checks and recoveries need, and the proof of what
//! they cannot do. Prints, and connects to nothing.

use super::chosen::in_packs;
use super::{Out, catalogue};
use crate::config::{Config, access};
use crate::dialect::Dialect;
use crate::exit::Exit;
use crate::grants::{self, Needs, Place};
use crate::problem::Problem;
use crate::source::quoted;

#[derive(Debug)]
pub struct Asked {
    pub engine: Option<Dialect>,
    pub target: Option<String>,
    /// Where names without a schema are meant; of MySQL and MariaDB the database.
    pub schema: Option<String>,
    /// Only these packs; without any, those that the target names.
    pub packs: Vec<String>,
    /// Tables that triggers write with the rights of the recovery role.
    pub trigger_writes: Vec<String>,
    pub self_test: bool,
}

pub fn run(asked: &Asked, config: &Config, out: &mut Out) -> Result<Exit, Problem> {
    let place = place(asked, config)?;
    if !grants::is_name(&place.schema) {
        return Err(Problem::usage(format!("{} is no name of a schema.", quoted(&place.schema))));
    }
    let Some(catalogue) = catalogue(config, out) else { return Ok(Exit::Usage) };
    in_packs(&asked.packs, &catalogue)?;
    let target = asked.target.as_ref().map(|named| config.target(named)).transpose()?;
    let chosen = |pack: &str| match (&target, asked.packs.as_slice()) {
        (Some(target), []) => target.takes(pack),
        (None, []) => true,
        (_, packs) => packs.iter().any(|name| name == pack),
    };
    let checks: Vec<_> = catalogue.checks.iter().filter(|check| chosen(&check.pack)).collect();
    let runbooks: Vec<_> =
        catalogue.runbooks.iter().filter(|runbook| chosen(&runbook.pack)).collect();
    let needs = Needs::of(&checks, &runbooks, &asked.trigger_writes, &place);
    out.put(&if asked.self_test {
        grants::self_test(&needs, &place)
    } else {
        grants::script(&needs, &place)
    })?;
    for doubt in &needs.doubts {
        out.say(&format!("steadyhand: not covered: {doubt}"));
    }
    Ok(Exit::Clear)
}

fn place(asked: &Asked, config: &Config) -> Result<Place, Problem> {
    let Some(named) = &asked.target else {
        let dialect = asked
            .engine
            .ok_or_else(|| Problem::usage("Say for which engine: --engine, or --target."))?;
        return match (&asked.schema, dialect) {
            (Some(schema), _) => Ok(Place { dialect, schema: schema.clone() }),
            (None, Dialect::Sqlite) => Ok(Place { dialect, schema: "main".into() }),
            (None, Dialect::Postgres) => Ok(Place { dialect, schema: "public".into() }),
            (None, _) => Err(Problem::usage(format!("Say where the tables of {dialect} are."))
                .hint(
                    "--schema NAME names their database or schema; --target takes it from a url",
                )),
        };
    };
    let target = config.target(named)?;
    let dialect = target.url.dialect;
    if let Some(engine) = asked.engine
        && engine != dialect
    {
        return Err(Problem::usage(format!("{} is {dialect}, not {engine}.", target.name))
            .hint("leave --engine out: the target says it"));
    }
    let schema = match (&asked.schema, dialect) {
        (Some(schema), _) => schema.clone(),
        (None, Dialect::Sqlite) => "main".into(),
        (None, Dialect::Mysql | Dialect::Mariadb) => access::explained(&target)?.database,
        (None, Dialect::Oracle) => {
            let access = access::explained(&target)?;
            let named = access.options.into_iter().find(|(name, _)| name == "schema");
            named.map_or(access.user, |(_, schema)| schema).to_uppercase()
        }
        (None, Dialect::Postgres) => {
            let options = access::explained(&target)?.options;
            let path = options.into_iter().find(|(name, _)| name == "search_path");
            let path = path.map(|(_, path)| path).unwrap_or_default();
            let first = path.split(',').map(|name| name.trim().trim_matches('"'));
            first
                .into_iter()
                .find(|name| !name.is_empty() && *name != "$user")
                .unwrap_or("public")
                .to_owned()
        }
    };
    Ok(Place { dialect, schema })
}
