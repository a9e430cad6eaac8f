import java.sql.Connection;
import java.sql.DatabaseMetaData;
import java.sql.DriverManager;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.Properties;

/** Asks for everything that JDBC can tell of a database, and prints each question that was not answered. */
public class JdbcMetadata {
  interface Question {
    ResultSet ask() throws SQLException;
  }

  public static void main(String[] args) throws Exception {
    Properties properties = new Properties();
    properties.setProperty("user", System.getenv("PGUSER"));
    properties.setProperty("password", System.getenv("PGPASSWORD"));
    String url = "jdbc:postgresql://" + System.getenv("PGHOST") + ":" + System.getenv("PGPORT") + "/" + System.getenv("PGDATABASE");
    try (Connection connection = DriverManager.getConnection(url, properties)) {
      DatabaseMetaData data = connection.getMetaData();
      ask("catalogs", () -> data.getCatalogs());
      ask("schemas", () -> data.getSchemas());
      ask("schemas like", () -> data.getSchemas(null, "pub%"));
      ask("table types", () -> data.getTableTypes());
      ask("tables", () -> data.getTables(null, null, "%", null));
      ask("tables of kinds", () -> data.getTables(null, "public", "%", new String[] {"TABLE", "VIEW", "SEQUENCE", "FOREIGN TABLE", "SYSTEM TABLE"}));
      ask("columns", () -> data.getColumns(null, null, "%", "%"));
      ask("column privileges", () -> data.getColumnPrivileges(null, "public", "customers", "%"));
      ask("table privileges", () -> data.getTablePrivileges(null, "public", "%"));
      ask("row identifier", () -> data.getBestRowIdentifier(null, "public", "customers", DatabaseMetaData.bestRowSession, true));
      ask("version columns", () -> data.getVersionColumns(null, "public", "customers"));
      ask("primary keys", () -> data.getPrimaryKeys(null, "public", "customers"));
      ask("imported keys", () -> data.getImportedKeys(null, "public", "customers"));
      ask("exported keys", () -> data.getExportedKeys(null, "public", "customers"));
      ask("cross reference", () -> data.getCrossReference(null, "public", "customers", null, "public", "notes"));
      ask("indexes", () -> data.getIndexInfo(null, "public", "customers", false, true));
      ask("types", () -> data.getTypeInfo());
      ask("user types", () -> data.getUDTs(null, null, "%", null));
      ask("functions", () -> data.getFunctions(null, null, "%"));
      ask("function columns", () -> data.getFunctionColumns(null, "pg_catalog", "abs", "%"));
      ask("procedures", () -> data.getProcedures(null, null, "%"));
      ask("procedure columns", () -> data.getProcedureColumns(null, null, "%", "%"));
      ask("client information", () -> data.getClientInfoProperties());
      data.getSQLKeywords();
      data.getMaxColumnNameLength();
      data.getUserName();
      data.getDatabaseProductVersion();
      connection.getTransactionIsolation();
      connection.setTransactionIsolation(Connection.TRANSACTION_REPEATABLE_READ);
      connection.setReadOnly(true);
      connection.getSchema();
      connection.isValid(5);
    }
    System.out.println("asked");
  }

  static void ask(String what, Question question) {
    try (ResultSet answer = question.ask()) {
      while (answer.next()) answer.getString(1);
    } catch (SQLException error) {
      System.out.println(what + ": " + error.getMessage());
    }
  }
}
