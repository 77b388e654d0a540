data "aws_partition" "current" {}

locals {
  code = coalesce(var.code, "${path.module}/../../target/lambda/bootstrap/bootstrap.zip")

  # Matches the versions and aliases of any function, and no function: the last part needs a colon
  # after the function's name.
  any_qualified = "arn:${data.aws_partition.current.partition}:lambda:*:*:function:*:*"

  resources = {
    account   = ["*"]
    function  = var.lambda_resource == "*" ? ["*"] : [var.lambda_resource, "${var.lambda_resource}:*"]
    version   = [var.lambda_resource == "*" ? local.any_qualified : "${var.lambda_resource}:*"]
    processor = var.processor_resource == "*" ? ["*"] : [var.processor_resource, "${var.processor_resource}:*"]
    payload   = ["arn:${data.aws_partition.current.partition}:s3:::${var.payload_s3_bucket}/${var.payload_s3_key}"]
  }

  # A step's actions, by what they are done to; those on processors and payloads only if there are
  # any.
  granted = {
    for name, step in local.steps : name => {
      for scope, actions in step.actions : scope => actions
      if length(actions) > 0
      && (scope != "processor" || var.processor_resource != "")
      && (scope != "payload" || var.payload_s3_bucket != "")
    }
  }

  in_vpc   = length(var.subnet_ids) > 0
  boundary = var.permissions_boundary == "" ? null : var.permissions_boundary
}

# Made here and not by Lambda, which would make it without an end to its logs, and which has no
# permission to make it anew after it is destroyed.
resource "aws_cloudwatch_log_group" "step" {
  for_each = local.steps

  name              = "/aws/lambda/${var.state_machine_name_prefix}-${each.key}"
  retention_in_days = var.log_group_retention_in_days
}

resource "aws_iam_role" "step" {
  for_each = local.steps

  name_prefix          = "powertune-${each.key}-"
  permissions_boundary = local.boundary

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "lambda.amazonaws.com" }
      Action    = "sts:AssumeRole"
    }]
  })
}

resource "aws_iam_role_policy" "step" {
  for_each = local.steps

  name = "powertune"
  role = aws_iam_role.step[each.key].id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(
      [
        for scope, actions in local.granted[each.key] : {
          Sid      = title(scope)
          Effect   = "Allow"
          Action   = actions
          Resource = local.resources[scope]
        }
      ],
      [
        {
          Sid      = "Log"
          Effect   = "Allow"
          Action   = local.log_actions
          Resource = ["${aws_cloudwatch_log_group.step[each.key].arn}:*"]
        }
      ],
      # A pattern such as arn:aws:lambda:* would let functions in with their versions.
      [
        for actions in [[for action in each.value.actions.version : action if startswith(action, "lambda:Delete")]] : {
          Sid         = "NeverTheFunction"
          Effect      = "Deny"
          Action      = actions
          NotResource = [local.any_qualified]
        }
        if length(actions) > 0
      ],
      # What Lambda calls with a function's role in a VPC.
      [
        for actions in [local.network_actions] : {
          Sid      = "Network"
          Effect   = "Allow"
          Action   = actions
          Resource = ["*"]
        }
        if local.in_vpc
      ],
    )
  })
}

resource "aws_lambda_function" "step" {
  for_each = local.steps

  function_name    = "${var.state_machine_name_prefix}-${each.key}"
  description      = "powertune"
  filename         = local.code
  source_code_hash = filebase64sha256(local.code)
  runtime          = local.runtime
  architectures    = [var.architecture]
  handler          = each.key
  memory_size      = each.value.memory_mb
  timeout          = each.value.timeout_s
  role             = aws_iam_role.step[each.key].arn

  dynamic "environment" {
    for_each = length(each.value.environment) > 0 ? [each.value.environment] : []

    content {
      variables = environment.value
    }
  }

  dynamic "vpc_config" {
    for_each = local.in_vpc ? [true] : []

    content {
      subnet_ids         = var.subnet_ids
      security_group_ids = var.security_group_ids
    }
  }

  depends_on = [aws_cloudwatch_log_group.step, aws_iam_role_policy.step]
}

resource "aws_iam_role" "state_machine" {
  name_prefix          = "powertune-states-"
  permissions_boundary = local.boundary

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "states.amazonaws.com" }
      Action    = "sts:AssumeRole"
    }]
  })
}

resource "aws_iam_role_policy" "state_machine" {
  name = "powertune"
  role = aws_iam_role.state_machine.id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid      = "Steps"
      Effect   = "Allow"
      Action   = "lambda:InvokeFunction"
      Resource = [for function in aws_lambda_function.step : function.arn]
    }]
  })
}

resource "aws_sfn_state_machine" "tuning" {
  name     = var.state_machine_name_prefix
  role_arn = aws_iam_role.state_machine.arn

  definition = templatefile("${path.module}/statemachine.asl.json", {
    for step, function in aws_lambda_function.step : "${title(step)}FunctionArn" => function.arn
  })

  depends_on = [aws_iam_role_policy.state_machine]
}

# An execution that is stopped or runs out of time comes to no state any more; what it left behind
# is cleaned from outside. (One that failed by itself is cleaned twice, which is once.)
resource "aws_cloudwatch_event_rule" "clean_up" {
  name_prefix = "powertune-clean-up-"
  description = "Puts functions back whose tuning was stopped"

  event_pattern = jsonencode({
    source        = ["aws.states"]
    "detail-type" = ["Step Functions Execution Status Change"]
    detail = {
      status          = local.ended_badly
      stateMachineArn = [aws_sfn_state_machine.tuning.arn]
    }
  })
}

resource "aws_cloudwatch_event_target" "clean_up" {
  rule = aws_cloudwatch_event_rule.clean_up.name
  arn  = aws_lambda_function.step["clean"].arn
}

resource "aws_lambda_permission" "clean_up" {
  action        = "lambda:InvokeFunction"
  function_name = aws_lambda_function.step["clean"].function_name
  principal     = "events.amazonaws.com"
  source_arn    = aws_cloudwatch_event_rule.clean_up.arn
}
