"""Uses the gateway as Python programs do, and prints what it saw as one JSON object. Connects as libpq's environment says."""
import io
import json
import threading

import psycopg2
import psycopg2.errors
import psycopg2.extras

seen = {}
connection = psycopg2.connect("")
cursor = connection.cursor()

cursor.execute("SELECT id, name, city FROM customers WHERE id = ANY(%s) ORDER BY id", ([1, 3],))
seen["rows"] = cursor.fetchall()
cursor.execute("SELECT big, price::text, bytes, doc, tags FROM kinds WHERE id = 1")
big, price, data, doc, tags = cursor.fetchone()
seen["kinds"] = [big, price, bytes(data).hex(), doc, tags]
connection.commit()

# A cursor on the server's side, in its own transaction.
with connection.cursor("named") as named:
    named.itersize = 300
    named.execute("SELECT id FROM customers ORDER BY id")
    seen["streamed"] = sum(1 for _ in named)
connection.commit()

cursor.execute("INSERT INTO notes (id, text) VALUES (1, 'rolled back')")
connection.rollback()
psycopg2.extras.execute_values(cursor, "INSERT INTO notes (id, text) VALUES %s", [(n, f"note {n}") for n in range(2, 52)])
connection.commit()
cursor.copy_expert("COPY notes (id, text) FROM STDIN", io.StringIO("100\tcopied\n101\ttwice\n"))
out = io.StringIO()
cursor.copy_expert("COPY (SELECT id FROM notes WHERE id >= 100 ORDER BY id) TO STDOUT", out)
seen["copied"] = out.getvalue()
cursor.execute("SELECT count(*) FROM notes")
seen["notes"] = cursor.fetchone()[0]
connection.commit()

try:
    cursor.execute("SELECT text FROM secrets")
except psycopg2.errors.InsufficientPrivilege as error:
    seen["denied"] = [error.pgcode, error.diag.message_hint, error.diag.context]
try:
    cursor.execute("SELECT 1")
except psycopg2.errors.InFailedSqlTransaction as error:
    seen["failed"] = error.pgcode
connection.rollback()

timer = threading.Timer(0.3, connection.cancel)
timer.start()
try:
    cursor.execute("SELECT pg_sleep(600)")
except psycopg2.errors.QueryCanceled as error:
    seen["cancelled"] = error.pgcode
connection.rollback()
cursor.execute("SELECT 'still here'")
seen["after"] = cursor.fetchone()[0]
connection.close()
print(json.dumps(seen))
