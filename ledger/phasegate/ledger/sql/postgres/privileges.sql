-- (object, column or empty, privilege) of whatever somebody other than the owner may do in a schema, and
-- (object, empty, 'OWNER') of what belongs to another owner than the schema does.
WITH home AS (SELECT * FROM pg_namespace WHERE nspname = %(schema)s)
SELECT c.relname::text, '', a.privilege_type
FROM home JOIN pg_class c ON c.relnamespace = home.oid, aclexplode(c.relacl) a WHERE a.grantee <> c.relowner
UNION
SELECT c.relname::text, t.attname::text, a.privilege_type
FROM home JOIN pg_class c ON c.relnamespace = home.oid JOIN pg_attribute t ON t.attrelid = c.oid,
    aclexplode(t.attacl) a WHERE a.grantee <> c.relowner
UNION
SELECT 'schema', '', a.privilege_type FROM home, aclexplode(home.nspacl) a WHERE a.grantee <> home.nspowner
UNION
SELECT c.relname::text, '', 'OWNER'
FROM home JOIN pg_class c ON c.relnamespace = home.oid WHERE c.relowner <> home.nspowner
UNION
SELECT p.proname::text, '', 'OWNER'
FROM home JOIN pg_proc p ON p.pronamespace = home.oid WHERE p.proowner <> home.nspowner
