-- The read-only user of analysts, for servers whose users are managed by SQL (ClickHouse Cloud, or
-- access_management). Run it once, as an administrator:
--   clickhouse-client --param_password='…' --queries-file analyst.sql
-- users.d/ocsf.xml says the same for servers that are configured by files.
CREATE SETTINGS PROFILE IF NOT EXISTS ocsf_analyst SETTINGS
    readonly = 2,
    allow_ddl = 0 CONST,
    allow_introspection_functions = 0 CONST,
    max_execution_time = 60 MAX 600,
    max_result_rows = 1000000 MAX 10000000,
    max_memory_usage = 4000000000 MAX 8000000000;

CREATE QUOTA IF NOT EXISTS ocsf_analyst KEYED BY user_name
    FOR INTERVAL 1 hour MAX queries = 20000, execution_time = 7200;

CREATE USER IF NOT EXISTS ocsf_analyst
    IDENTIFIED WITH sha256_password BY {password:String}
    SETTINGS PROFILE 'ocsf_analyst';

-- Nothing but the pipeline's database: no file(), url() or s3(), which need grants of their own.
GRANT SELECT, SHOW ON ocsf.* TO ocsf_analyst;

ALTER QUOTA ocsf_analyst TO ocsf_analyst;
