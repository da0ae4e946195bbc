import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Base64;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** Runs Verify on every line of the vector file named as argument. */
public final class Check {
    public static void main(String[] arguments) throws Exception {
        List<String> lines = Files.readAllLines(Path.of(arguments[0]));
        String[] names = {"webhook-id", "webhook-timestamp", "webhook-signature"};
        int good = 0;
        for (String line : lines) {
            String[] field = line.split("\t", -1);
            Map<String, String> headers = new HashMap<>();
            for (int i = 0; i < names.length; i++) {
                if (!field[i + 1].isEmpty()) headers.put(names[i], field[i + 1]);
            }
            byte[] body = Base64.getDecoder().decode(field[4]);
            boolean answer = Verify.verify(headers, body, field[5], 300, Long.parseLong(field[6]));
            if (answer == Boolean.parseBoolean(field[7])) good++;
            else System.out.println("  mismatch: " + field[0]);
        }
        System.out.println(good + " " + lines.size());
    }
}
