import java.io.StringReader;
import java.sql.Array;
import java.sql.Connection;
import java.sql.DatabaseMetaData;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.List;
import java.util.Properties;
import java.util.Timer;
import java.util.TimerTask;
import org.postgresql.PGConnection;

/** Uses the gateway as Java programs do, and prints what it saw, a line each. */
public class JdbcClient {
  public static void main(String[] args) throws Exception {
    Properties properties = new Properties();
    properties.setProperty("user", System.getenv("PGUSER"));
    properties.setProperty("password", System.getenv("PGPASSWORD"));
    // From the second execution on, statements are prepared on the server and their results come in binary.
    properties.setProperty("prepareThreshold", "2");
    String url = "jdbc:postgresql://" + System.getenv("PGHOST") + ":" + System.getenv("PGPORT") + "/" + System.getenv("PGDATABASE");
    try (Connection connection = DriverManager.getConnection(url, properties)) {
      metadata(connection.getMetaData());
      prepared(connection);
      fetchSize(connection);
      batch(connection);
      copy(connection);
      denied(connection);
      cancel(connection);
    }
  }

  static void say(String what, Object value) {
    System.out.println(what + "=" + value);
  }

  static void metadata(DatabaseMetaData data) throws SQLException {
    say("product", data.getDatabaseProductName());
    List<String> names = new ArrayList<>();
    try (ResultSet tables = data.getTables(null, "public", "%", new String[] {"TABLE", "VIEW"})) {
      while (tables.next()) names.add(tables.getString("TABLE_NAME"));
    }
    say("tables", names);
    List<String> columns = new ArrayList<>();
    try (ResultSet of = data.getColumns(null, "public", "customers", "%")) {
      while (of.next()) columns.add(of.getString("COLUMN_NAME") + ":" + of.getString("TYPE_NAME"));
    }
    say("columns", columns);
    try (ResultSet keys = data.getPrimaryKeys(null, "public", "customers")) {
      say("key", keys.next() ? keys.getString("COLUMN_NAME") : null);
    }
    try (ResultSet index = data.getIndexInfo(null, "public", "customers", false, true)) {
      say("index", index.next() ? index.getString("INDEX_NAME") : null);
    }
    try (ResultSet schemas = data.getSchemas()) {
      say("schemas", schemas.next());
    }
    try (ResultSet types = data.getTypeInfo()) {
      say("types", types.next());
    }
  }

  static void prepared(Connection connection) throws SQLException {
    List<String> seen = new ArrayList<>();
    String sql = "SELECT id, flag, small, big, price, ratio, at, day, bytes, doc, tags, uid FROM kinds WHERE id = ?";
    try (PreparedStatement statement = connection.prepareStatement(sql)) {
      for (int round = 0; round < 6; round++) {
        statement.setInt(1, 1);
        try (ResultSet row = statement.executeQuery()) {
          row.next();
          Array tags = row.getArray("tags");
          seen.add(row.getBoolean("flag") + "," + row.getShort("small") + "," + row.getLong("big") + "," + row.getBigDecimal("price")
              + "," + row.getDouble("ratio") + "," + row.getTimestamp("at").toInstant() + "," + row.getBytes("bytes").length
              + "," + row.getString("doc") + "," + ((Object[]) tags.getArray()).length + "," + row.getObject("uid"));
        }
      }
    }
    say("alike", seen.stream().distinct().count() == 1);
    say("values", seen.get(5));
  }

  static void fetchSize(Connection connection) throws SQLException {
    connection.setAutoCommit(false);
    int rows = 0;
    try (Statement statement = connection.createStatement()) {
      // Portals that are suspended after each 100 rows.
      statement.setFetchSize(100);
      try (ResultSet all = statement.executeQuery("SELECT id FROM customers")) {
        while (all.next()) rows++;
      }
    }
    connection.commit();
    connection.setAutoCommit(true);
    say("fetched", rows);
  }

  static void batch(Connection connection) throws SQLException {
    try (PreparedStatement statement = connection.prepareStatement("INSERT INTO notes (id, text) VALUES (?, ?)")) {
      for (int n = 0; n < 200; n++) {
        statement.setInt(1, 5000 + n);
        statement.setString(2, "note " + n);
        statement.addBatch();
      }
      say("batch", statement.executeBatch().length);
    }
    try (PreparedStatement statement = connection.prepareStatement("INSERT INTO notes (text) VALUES (?)", Statement.RETURN_GENERATED_KEYS)) {
      statement.setString(1, "keyed");
      statement.executeUpdate();
      try (ResultSet keys = statement.getGeneratedKeys()) {
        say("keyed", keys.next() && keys.getInt("id") > 0);
      }
    }
  }

  static void copy(Connection connection) throws Exception {
    var copies = connection.unwrap(PGConnection.class).getCopyAPI();
    say("copied", copies.copyIn("COPY notes (id, text) FROM STDIN", new StringReader("6000\tone\n6001\ttwo\n")));
  }

  static void denied(Connection connection) throws SQLException {
    try (Statement statement = connection.createStatement()) {
      statement.execute("TRUNCATE customers");
      say("denied", false);
    } catch (SQLException error) {
      say("denied", error.getSQLState());
    }
    try (Statement statement = connection.createStatement(); ResultSet row = statement.executeQuery("SELECT 1")) {
      say("after", row.next());
    }
  }

  static void cancel(Connection connection) throws SQLException {
    try (Statement statement = connection.createStatement()) {
      statement.setQueryTimeout(1);
      statement.execute("SELECT pg_sleep(600)");
    } catch (SQLException error) {
      say("cancelled", error.getSQLState());
    }
  }
}
