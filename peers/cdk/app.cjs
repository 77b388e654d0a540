// powertune in a CDK app: the SAM template as it is, its code from a zip file.
//
//     cdk synth --app "node app.cjs TEMPLATE BOOTSTRAP_ZIP"
//
// CfnInclude keeps the template's Transform, so that CloudFormation still expands it when the stack
// is created. It does not know that CodeUri names a folder: that has to be replaced by an asset.

const cdk = require("aws-cdk-lib");
const { Asset } = require("aws-cdk-lib/aws-s3-assets");
const { CfnInclude } = require("aws-cdk-lib/cloudformation-include");

const [templateFile, zip] = process.argv.slice(2);

const app = new cdk.App();
const stack = new cdk.Stack(app, "powertune");
const code = new Asset(stack, "Code", { path: zip });
const template = new CfnInclude(stack, "Template", {
  templateFile,
  parameters: { lambdaResource: "arn:aws:lambda:us-east-1:123456789012:function:tuned" },
});

for (const step of ["Initialize", "Publish", "Measure", "Decide", "Apply", "Clean"]) {
  template
    .getResource(`${step}Function`)
    .addPropertyOverride("CodeUri", { Bucket: code.s3BucketName, Key: code.s3ObjectKey });
}

// What another part of the app would start.
new cdk.CfnOutput(stack, "Started", { value: template.getResource("StateMachine").ref });

app.synth();
