// Prints what Avro's own checker says of the pairs of schemas in cases.json. Run it with ./run.

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.File;
import org.apache.avro.Schema;
import org.apache.avro.SchemaCompatibility;

public class Verdicts {
  public static void main(String[] args) throws Exception {
    ObjectMapper mapper = new ObjectMapper();
    ArrayNode cases = (ArrayNode) mapper.readTree(new File(args[0]));
    for (JsonNode one : cases) {
      ObjectNode pair = (ObjectNode) one;
      Schema reader = new Schema.Parser().parse(pair.get("reader").toString());
      Schema writer = new Schema.Parser().parse(pair.get("writer").toString());
      ArrayNode found = mapper.createArrayNode();
      try {
        SchemaCompatibility.SchemaPairCompatibility verdict =
            SchemaCompatibility.checkReaderWriterCompatibility(reader, writer);
        pair.put("readable",
            verdict.getType() == SchemaCompatibility.SchemaCompatibilityType.COMPATIBLE);
        for (SchemaCompatibility.Incompatibility why : verdict.getResult().getIncompatibilities()) {
          found.add(why.getType() + " " + why.getLocation());
        }
      } catch (RuntimeException error) {
        // The checker gives up where two fields of the writer claim one of the reader.
        pair.put("readable", false);
        found.add("gives up: " + error.getMessage());
      }
      pair.set("why", found);
    }
    StringBuilder out = new StringBuilder("[\n");
    for (int i = 0; i < cases.size(); i++) {
      out.append(mapper.writeValueAsString(cases.get(i))).append(i + 1 < cases.size() ? ",\n" : "\n]");
    }
    System.out.println(out);
  }
}
