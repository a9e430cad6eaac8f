-- The account that Sallyport makes and removes temporary roles with. PostgreSQL 15 and later.
-- Run it in the target's database as a superuser, then give the account its password with \password sallyport_issuer

-- CREATEROLE is what makes roles. It is no superuser, owns nothing, and cannot read a row that it was not granted.
CREATE ROLE sallyport_issuer LOGIN CREATEROLE NOSUPERUSER NOCREATEDB NOREPLICATION NOBYPASSRLS;

-- To end the sessions of a role whose time is over.
GRANT pg_signal_backend TO sallyport_issuer;

-- What temporary roles may be given at the most. The grant option lets the account pass it on: whatever is left out here,
-- no policy can permit.
GRANT USAGE ON SCHEMA public TO sallyport_issuer WITH GRANT OPTION;
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO sallyport_issuer WITH GRANT OPTION;
GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO sallyport_issuer WITH GRANT OPTION;

-- The same for tables that this owner makes later.
ALTER DEFAULT PRIVILEGES IN SCHEMA public
  GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO sallyport_issuer WITH GRANT OPTION;
ALTER DEFAULT PRIVILEGES IN SCHEMA public
  GRANT USAGE, SELECT ON SEQUENCES TO sallyport_issuer WITH GRANT OPTION;
