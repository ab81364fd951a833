-- One line for each object of a schema, without the schema's name; `objects.txt` has those of a fresh ledger.
-- What versions of the server spell differently is left out: names of NOT NULL constraints, for one.
WITH home AS (
    SELECT oid, quote_ident(nspname) || '.' AS prefix, format('"%%s".', nspname) AS quoted
    FROM pg_namespace WHERE nspname = %(schema)s
), relations AS (
    SELECT c.*, home.prefix FROM pg_class c JOIN home ON c.relnamespace = home.oid
), routines AS (
    SELECT p.*, l.lanname FROM pg_proc p JOIN home ON p.pronamespace = home.oid JOIN pg_language l ON l.oid = p.prolang
), lines AS (
    SELECT format('relation %%s %%s%%s security %%s %%s', relname, relkind, relpersistence,
        relrowsecurity, relforcerowsecurity) AS line, '' AS prefix
    FROM relations WHERE relkind NOT IN ('i', 't')
    UNION ALL
    SELECT format('column %%s of %%s %%s %%s %%s %%s', a.attname, r.relname, format_type(a.atttypid, a.atttypmod),
        a.attnotnull, coalesce(k.collname, '-'), coalesce(pg_get_expr(d.adbin, d.adrelid), '-')), ''
    FROM relations r JOIN pg_attribute a ON a.attrelid = r.oid AND a.attnum > 0 AND NOT a.attisdropped
        LEFT JOIN pg_attrdef d ON d.adrelid = r.oid AND d.adnum = a.attnum
        LEFT JOIN pg_collation k ON k.oid = a.attcollation
    WHERE r.relkind NOT IN ('i', 't')
    UNION ALL
    SELECT format('index %%s %%s', i.indisvalid, pg_get_indexdef(i.indexrelid)), r.prefix
    FROM relations r JOIN pg_index i ON i.indexrelid = r.oid
    UNION ALL
    SELECT format('constraint %%s of %%s %%s %%s', c.conname, r.relname, c.convalidated, pg_get_constraintdef(c.oid)), r.prefix
    FROM relations r JOIN pg_constraint c ON c.conrelid = r.oid AND c.contype <> 'n'
    UNION ALL
    SELECT format('trigger %%s %%s', t.tgenabled, pg_get_triggerdef(t.oid)), r.prefix
    FROM relations r JOIN pg_trigger t ON t.tgrelid = r.oid AND NOT t.tgisinternal
    UNION ALL
    SELECT format('rule %%s of %%s', w.rulename, r.relname), ''
    FROM relations r JOIN pg_rewrite w ON w.ev_class = r.oid
    UNION ALL
    SELECT format('policy %%s of %%s', p.polname, r.relname), ''
    FROM relations r JOIN pg_policy p ON p.polrelid = r.oid
    UNION ALL
    SELECT format('heir %%s', r.relname), ''
    FROM relations r JOIN pg_inherits h ON r.oid IN (h.inhrelid, h.inhparent) WHERE r.relkind NOT IN ('i', 't')
    UNION ALL
    SELECT format('function %%s(%%s) %%s %%s %%s %%s %%s', proname, pg_get_function_arguments(oid), lanname, provolatile,
        prosecdef, coalesce(proconfig::text, '-'),
        encode(sha256(convert_to(replace(prosrc, (SELECT quoted FROM home), ''), 'UTF8')), 'hex')), ''
    FROM routines
)
SELECT CASE WHEN prefix = '' THEN line ELSE replace(line, prefix, '') END FROM lines ORDER BY 1
