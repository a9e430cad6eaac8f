import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.Statement;
import java.util.Properties;

/** Reads masked columns as Java programs do, and prints what it saw, a line each. */
public class MaskedJdbcClient {
  public static void main(String[] args) throws Exception {
    Properties properties = new Properties();
    properties.setProperty("user", System.getenv("PGUSER"));
    properties.setProperty("password", System.getenv("PGPASSWORD"));
    // From the second execution on, results come in binary, and are not described again.
    properties.setProperty("prepareThreshold", "2");
    String url = "jdbc:postgresql://" + System.getenv("PGHOST") + ":" + System.getenv("PGPORT") + "/" + System.getenv("PGDATABASE");
    try (Connection connection = DriverManager.getConnection(url, properties)) {
      String sql = "SELECT id, flag, small, big, price, ratio, day, doc, tags, uid FROM kinds WHERE id = ?";
      try (PreparedStatement statement = connection.prepareStatement(sql)) {
        for (int run = 1; run <= 5; run++) {
          statement.setInt(1, 1);
          try (ResultSet rows = statement.executeQuery()) {
            rows.next();
            System.out.println(rows.getInt(1) + " " + rows.getBoolean(2) + " " + rows.getShort(3) + " " + rows.getLong(4) + " "
                + rows.getBigDecimal(5) + " " + rows.getDouble(6) + " " + rows.getDate(7) + " " + rows.getString(8) + " "
                + ((Object[]) rows.getArray(9).getArray()).length + " " + rows.getObject(10));
          }
        }
      }
      connection.setAutoCommit(false);
      try (Statement statement = connection.createStatement()) {
        statement.setFetchSize(100);
        int masked = 0;
        try (ResultSet rows = statement.executeQuery("SELECT email FROM customers")) {
          while (rows.next()) if (rows.getString(1).equals("****@example.com")) masked++;
        }
        System.out.println("fetched " + masked);
      }
    }
  }
}
