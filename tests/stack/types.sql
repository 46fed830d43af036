-- Every type that Debezium's connector has a form for, and rows at the edges of each. The columns' names say the type.
create extension if not exists hstore;
create extension if not exists ltree;
create extension if not exists citext;
create type mood as enum ('sad', 'ok', 'happy');
create domain positive as numeric(6, 2) check (value > 0);
create domain short as varchar(8);
create table types (
  id integer primary key,
  c_bool boolean, c_int2 smallint, c_int4 integer, c_int8 bigint, c_oid oid,
  c_float4 real, c_float8 double precision,
  c_numeric numeric, c_numeric_p numeric(20), c_numeric_ps numeric(20, 6), c_money money,
  c_text text, c_varchar varchar(20), c_char char(5), c_citext citext, c_bytea bytea,
  c_bit1 bit(1), c_bit bit(10), c_varbit bit varying(20),
  c_date date, c_time time, c_time3 time(3), c_timetz timetz,
  c_timestamp timestamp, c_timestamp3 timestamp(3), c_timestamptz timestamptz, c_interval interval,
  c_uuid uuid, c_json json, c_jsonb jsonb, c_xml xml, c_hstore hstore, c_ltree ltree, c_tsvector tsvector,
  c_inet inet, c_cidr cidr, c_macaddr macaddr, c_macaddr8 macaddr8, c_point point,
  c_int4range int4range, c_int8range int8range, c_numrange numrange, c_tsrange tsrange, c_tstzrange tstzrange, c_daterange daterange,
  c_mood mood, c_positive positive, c_short short,
  c_int2s smallint[], c_int4s integer[], c_int8s bigint[], c_texts text[], c_varchars varchar(10)[], c_bools boolean[],
  c_float8s double precision[], c_numerics numeric(10, 2)[], c_dates date[], c_uuids uuid[], c_timestamptzs timestamptz[], c_moods mood[]
);
alter table types replica identity full;
-- Large values out of line: what an update does not touch is left out.
create table large (
  id integer primary key,
  n integer not null,
  c_text text, c_varchar varchar, c_json json, c_jsonb jsonb, c_bytea bytea, c_xml xml, c_hstore hstore,
  c_texts text[], c_int4s integer[], c_int8s bigint[], c_dates date[], c_uuids uuid[], c_byteas bytea[]
);
alter table large alter c_text set storage external, alter c_varchar set storage external, alter c_json set storage external,
  alter c_jsonb set storage external, alter c_bytea set storage external, alter c_xml set storage external, alter c_hstore set storage external,
  alter c_texts set storage external, alter c_int4s set storage external, alter c_int8s set storage external, alter c_dates set storage external,
  alter c_uuids set storage external, alter c_byteas set storage external;
create table large_full (like large including all);
alter table large_full replica identity full;
create table evolving (id serial primary key, count integer not null, note varchar(10), ratio real not null, amount numeric(8, 2) not null, gone text not null);
