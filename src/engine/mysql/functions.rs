//! The functions of MySQL and MariaDB that do nothing but give a result, and those whose only effect
//! is on the row that is written.

/// Whether this name, in small letters, is one of them.
pub fn is_known(name: &str) -> bool {
    KNOWN.split_ascii_whitespace().any(|known| known == name)
}

const KNOWN: &str = "
abs acos adddate addtime aes_decrypt aes_encrypt any_value ascii asin atan atan2 avg
bin bin_to_uuid bit_and bit_count bit_length bit_or bit_xor
cast ceil ceiling char char_length character_length charset chr coalesce coercibility collation
column_get column_json concat concat_ws connection_id conv convert convert_tz cos cot count crc32
crc32c cume_dist curdate current_date current_role current_time current_timestamp current_user curtime
database date date_add date_format date_sub datediff day dayname dayofmonth dayofweek dayofyear
decode_oracle default degrees dense_rank elt exp export_set extract extractvalue
field find_in_set first_value floor format format_bytes from_base64 from_days from_unixtime
geometrycollection get_format greatest group_concat grouping
hex hour if ifnull inet6_aton inet6_ntoa inet_aton inet_ntoa insert instr interval is_ipv4 is_ipv6
is_uuid isnull
json_array json_array_append json_array_insert json_arrayagg json_compact json_contains
json_contains_path json_depth json_detailed json_equals json_exists json_extract json_insert json_keys
json_length json_loose json_merge json_merge_patch json_merge_preserve json_normalize json_object
json_objectagg json_overlaps json_pretty json_query json_quote json_remove json_replace json_search
json_set json_type json_unquote json_valid json_value
lag last_day last_insert_id last_value lcase lead least left length lengthb linestring ln localtime
localtimestamp locate log log10 log2 lower lpad ltrim
make_set makedate maketime max md5 median microsecond mid min minute mod month monthname
name_const natural_sort_key now nth_value ntile nullif nvl nvl2 oct octet_length ord
percent_rank percentile_cont percentile_disc period_add period_diff pi point polygon position pow power
quarter quote radians rand random_bytes rank regexp_instr regexp_like regexp_replace regexp_substr repeat
replace reverse right round row_count row_number rpad rtrim
schema sec_to_time second session_user sha sha1 sha2 sign sin soundex space sqrt st_asgeojson st_astext
st_aswkb st_contains st_distance st_geomfromtext st_geomfromwkb st_intersects st_srid st_within st_x st_y
std stddev stddev_pop stddev_samp str_to_date strcmp subdate substr substring substring_index subtime sum
sysdate system_user tan time time_format time_to_sec timediff timestamp timestampadd timestampdiff to_base64
to_char to_days to_seconds trim truncate ucase unhex unix_timestamp updatexml upper user utc_date utc_time
utc_timestamp uuid uuid_short uuid_to_bin value values var_pop var_samp variance version week weekday
weekofyear weight_string year yearweek
";
