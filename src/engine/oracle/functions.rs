//! The functions of Oracle that do nothing but give a result.

/// Whether this name, in small letters and with its package if it has one, is one of them.
pub fn is_known(name: &str) -> bool {
    KNOWN.split_ascii_whitespace().any(|known| known == name)
}

/// Whether a call, by the parts of its name, is known to do more than give a result. Of packages whose
/// work is to reach out or to act, nothing is trusted.
pub fn acts(call: &[String]) -> bool {
    let parts: Vec<String> = call.iter().map(|part| part.to_lowercase()).collect();
    let name = parts.join(".");
    let name = name.strip_prefix("sys.").unwrap_or(&name);
    if is_known(name) {
        return false;
    }
    let package = name.split('.').next().unwrap_or_default();
    name.contains('.')
        && (["dbms_", "utl_", "apex_", "httpuri", "owa_"].iter().any(|p| package.starts_with(p)))
        || ["httpuritype", "dburitype", "xdburitype"].contains(&name)
}

const KNOWN: &str = "
abs acos add_months ascii asciistr asin atan atan2 avg bfilename bin_to_num bitand bit_and_agg bit_or_agg
bit_xor_agg cardinality cast ceil chartorowid chr coalesce collation collect compose concat convert corr cos
cosh count covar_pop covar_samp cume_dist current_date current_timestamp cv dbtimezone decode decompose
dense_rank dump empty_blob empty_clob exp extract extractvalue first first_value floor from_tz greatest
grouping grouping_id hextoraw initcap instr instrb instrc json json_array json_arrayagg json_equal json_exists
json_mergepatch json_object json_objectagg json_query json_scalar json_serialize json_table json_transform
json_value lag last last_day last_value lead least length lengthb lengthc listagg ln lnnvl localtimestamp log
lower lpad ltrim max median min mod months_between nanvl nchr new_time next_day nls_charset_id
nls_charset_name nls_initcap nls_lower nls_upper nlssort nth_value ntile nullif numtodsinterval
numtoyminterval nvl nvl2 ora_hash percent_rank percentile_cont percentile_disc power rank ratio_to_report
rawtohex rawtonhex regexp_count regexp_instr regexp_like regexp_replace regexp_substr regr_avgx regr_avgy
regr_count regr_intercept regr_r2 regr_slope regr_sxx regr_sxy regr_syy remainder replace round
round_ties_to_even row_number rowidtochar rowidtonchar rpad rtrim scn_to_timestamp sessiontimezone sign sin
sinh soundex sqrt standard_hash stats_mode stddev stddev_pop stddev_samp substr substrb substrc sum
sys_connect_by_path sys_context sys_extract_utc sys_guid sysdate systimestamp table tan tanh timestamp_to_scn
to_binary_double to_binary_float to_blob to_char to_clob to_date to_dsinterval to_lob to_multi_byte to_nchar
to_nclob to_number to_single_byte to_timestamp to_timestamp_tz to_yminterval translate treat trim trunc
tz_offset uid unistr upper user userenv validate_conversion var_pop var_samp variance vsize width_bucket
xmlagg xmlattributes xmlcast xmlcdata xmlconcat xmlelement xmlexists xmlforest xmlparse xmlquery
xmlserialize xmltable
dbms_lob.compare dbms_lob.getlength dbms_lob.instr dbms_lob.substr dbms_random.string dbms_random.value
dbms_flashback.get_system_change_number dbms_transaction.local_transaction_id utl_i18n.string_to_raw
utl_match.edit_distance utl_match.edit_distance_similarity utl_match.jaro_winkler
utl_match.jaro_winkler_similarity utl_raw.cast_to_nvarchar2 utl_raw.cast_to_raw utl_raw.cast_to_varchar2
";

#[cfg(test)]
mod tests {
    use super::*;

    fn call(name: &str) -> Vec<String> {
        name.split('.').map(str::to_owned).collect()
    }

    #[test]
    fn a_package_that_reaches_out_is_not_trusted() {
        for acting in
            ["utl_http.request", "DBMS_LOCK.SLEEP", "sys.dbms_pipe.send_message", "HttpUriType"]
        {
            assert!(acts(&call(acting)), "{acting}");
        }
        for harmless in
            ["NVL", "DBMS_LOB.GETLENGTH", "sys.dbms_lob.substr", "my_function", "pkg.total"]
        {
            assert!(!acts(&call(harmless)), "{harmless}");
        }
        assert!(is_known("to_char") && !is_known("to_cha"));
    }
}
