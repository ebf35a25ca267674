-- Deletes the database and the role of one participant; what is printed was deleted. `user` is given by the playbook.
\set QUIET off

SELECT format('DROP DATABASE %I WITH (FORCE)', :'user')
WHERE EXISTS (SELECT FROM pg_database WHERE datname = :'user') \gexec

SELECT format('DROP OWNED BY %I', :'user')
WHERE EXISTS (SELECT FROM pg_roles WHERE rolname = :'user') \gexec

SELECT format('DROP ROLE %I', :'user')
WHERE EXISTS (SELECT FROM pg_roles WHERE rolname = :'user') \gexec
