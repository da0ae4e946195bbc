import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.SQLException;

public class Publish {
    /** Stores an order and publishes it. Gives the event's id and what became of it. */
    static String placeOrder(Connection db, int order, int cents) throws SQLException {
        db.setAutoCommit(false);
        try (var insert = db.prepareStatement("INSERT INTO orders (id, total_cents) VALUES (?, ?) ON CONFLICT DO NOTHING");
             var publish = db.prepareStatement(
                 "SELECT * FROM postrider.publish('order.paid', tenant => 'acme', key => ?, data => ?)")) {
            insert.setInt(1, order);
            insert.setInt(2, cents);
            insert.executeUpdate();
            publish.setArray(1, db.createArrayOf("text", new String[] {String.valueOf(order)}));
            publish.setString(2, "{\"order\": " + order + ", \"total_cents\": " + cents + "}");
            String published;
            try (var row = publish.executeQuery()) {
                row.next();
                published = row.getString("event_id") + " " + row.getString("outcome");
            }
            if (cents > 100_000) throw new IllegalStateException("an order of this size needs approval");
            db.commit();
            return published;
        } catch (Throwable error) {
            db.rollback();
            throw error;
        }
    }

    public static void main(String[] arguments) throws SQLException {
        try (var db = DriverManager.getConnection(System.getenv("JDBC_URL"))) {
            System.out.println(placeOrder(db, Integer.parseInt(arguments[0]), Integer.parseInt(arguments[1])));
        }
    }
}
