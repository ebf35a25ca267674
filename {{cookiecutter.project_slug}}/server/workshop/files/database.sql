-- What one participant has in PostgreSQL. Every statement runs only where it is needed, and then says its name: what is
-- printed was changed. `user` and `connections` are given by the playbook.
\set QUIET off

SELECT format('CREATE ROLE %I LOGIN', :'user')
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = :'user') \gexec

SELECT format('ALTER ROLE %I CONNECTION LIMIT %s', :'user', :'connections')
WHERE EXISTS (SELECT FROM pg_roles WHERE rolname = :'user' AND rolconnlimit <> :connections) \gexec

SELECT format('CREATE DATABASE %I OWNER %I', :'user', :'user')
WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = :'user') \gexec

-- Everybody may connect to a new database: not here.
SELECT format('REVOKE ALL ON DATABASE %I FROM PUBLIC', :'user')
WHERE has_database_privilege('public', :'user', 'CONNECT') \gexec

-- In psql, the tables of development are the ones that need no prefix.
SELECT format('ALTER DATABASE %I SET search_path = development, public', :'user')
WHERE NOT EXISTS (
    SELECT FROM pg_db_role_setting JOIN pg_database ON pg_database.oid = setdatabase AND setrole = 0
    WHERE datname = :'user' AND 'search_path=development, public' = ANY (setconfig)
) \gexec

\set QUIET on
\connect :user
\set QUIET off
SELECT format('CREATE SCHEMA %I AUTHORIZATION %I', environment, :'user')
FROM unnest(ARRAY['development', 'testing', 'acceptance', 'production']) AS environment
WHERE NOT EXISTS (SELECT FROM pg_namespace WHERE nspname = environment) \gexec
