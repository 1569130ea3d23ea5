import java.io.FileInputStream;
import java.io.InputStream;
import org.verapdf.gf.foundry.VeraGreenfieldFoundryProvider;
import org.verapdf.pdfa.Foundries;
import org.verapdf.pdfa.PDFAParser;
import org.verapdf.pdfa.PDFAValidator;
import org.verapdf.pdfa.flavours.PDFAFlavour;
import org.verapdf.pdfa.results.TestAssertion;
import org.verapdf.pdfa.results.ValidationResult;

/** Says of each file whether it conforms to PDF/A-3b, and which rules it breaks. */
public class Validate {
    public static void main(String[] files) throws Exception {
        VeraGreenfieldFoundryProvider.initialise();
        for (String file : files) {
            PDFAFlavour flavour = PDFAFlavour.PDFA_3_B;
            try (InputStream in = new FileInputStream(file);
                    PDFAParser parser = Foundries.defaultInstance().createParser(in, flavour);
                    PDFAValidator validator =
                            Foundries.defaultInstance().createValidator(flavour, false)) {
                ValidationResult result = validator.validate(parser);
                System.out.println((result.isCompliant() ? "conforms " : "breaks ") + file);
                for (TestAssertion one : result.getTestAssertions()) {
                    System.out.println("  " + one.getRuleId().getClause() + " test "
                            + one.getRuleId().getTestNumber() + ": " + one.getMessage());
                }
            }
        }
    }
}
